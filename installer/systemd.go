package installer

import (
	_ "embed"
	"fmt"
	"path"
	"strings"
	"text/template"
)

// Name is the service's name for the operating system, DisplayName and Description
// what people see there.
const (
	Name        = "metermanager"
	DisplayName = "Meter Manager"
	Description = "Meter Manager: retrieves, keeps and uploads the logs of electricity meters"
)

// DefaultUser is the account under which the service runs on Linux.
const DefaultUser = "metermanager"

// StateRoot is where systemd keeps the data of services.
const StateRoot = "/var/lib"

//go:embed metermanager.service.tmpl
var unitTemplate string

// Service describes one installation.
type Service struct {
	// Executable is the absolute path of the program, Args its arguments.
	Executable string
	Args       []string
	// User is the account; UserExists says whether the machine knows it. An unknown one
	// is made by systemd for as long as the service runs.
	User       string
	UserExists bool
	// Data is the data folder, absolute.
	Data string
}

// Unit returns the text of the systemd unit.
func Unit(s Service) (string, error) {
	if !path.IsAbs(s.Executable) || !path.IsAbs(s.Data) {
		return "", fmt.Errorf("unit of %q with data in %q: both paths must be absolute", s.Executable, s.Data)
	}
	if strings.ContainsAny(s.User, " \t\r\n%") || s.User == "" {
		return "", fmt.Errorf("unit: user name %q", s.User)
	}
	state, under := strings.CutPrefix(path.Clean(s.Data), StateRoot+"/")
	if !under || strings.ContainsAny(state, " /%\"'\\") {
		state = ""
	}
	if state == "" && !s.UserExists {
		return "", fmt.Errorf("unit: data in %s needs an existing account that owns the folder; %q is not known", s.Data, s.User)
	}
	parts := []string{quote(s.Executable)}
	for _, a := range s.Args {
		parts = append(parts, quote(a))
	}
	for _, text := range append(parts, s.Data) {
		if strings.ContainsAny(text, "\r\n\x00") {
			return "", fmt.Errorf("unit: %q spans lines", text)
		}
	}
	t, err := template.New("unit").Parse(unitTemplate)
	if err != nil {
		return "", fmt.Errorf("read the unit's template: %w", err)
	}
	var out strings.Builder
	err = t.Execute(&out, map[string]any{
		"Description": Description, "ExecStart": strings.Join(parts, " "), "User": s.User,
		"DynamicUser": !s.UserExists, "StateDirectory": state, "Data": quote(s.Data),
	})
	if err != nil {
		return "", fmt.Errorf("fill the unit's template: %w", err)
	}
	return out.String(), nil
}

// quote writes an argument so that systemd reads it back unchanged: specifiers and
// variables doubled, quotes and backslashes escaped.
func quote(arg string) string {
	arg = strings.NewReplacer(`\`, `\\`, `"`, `\"`, `%`, `%%`, `$`, `$$`).Replace(arg)
	if arg == "" || strings.ContainsAny(arg, " \t'\";#") {
		return `"` + arg + `"`
	}
	return arg
}

// WindowsOptions are the options of the Windows service: started a little after the
// system, started again 5 s after a failure, for ever (failures older than a day are forgotten).
func WindowsOptions() map[string]any {
	return map[string]any{
		"StartType":              "automatic",
		"DelayedAutoStart":       true,
		"OnFailure":              "restart",
		"OnFailureDelayDuration": "5s",
		"OnFailureResetPeriod":   86_400,
	}
}

// WindowsAccount is the account of the Windows service: it may use the network and its
// own folder, and nothing else of the machine.
const WindowsAccount = `NT AUTHORITY\LocalService`
