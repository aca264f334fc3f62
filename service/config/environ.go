package config

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// The variables that belong to commands which talk to a running service, not to the file; the last one is for
// tests, which start this program.
var clientVariables = []string{"MM_URL", "MM_KEY", "MM_CA", "MM_FINGERPRINT", "MM_USER", "MM_PASSWORD", "MM_CONFIG", "MM_SHARED_DATA"}

// environ is the part of the environment that matters here.
type environ struct {
	values map[string]string // MM_ variables
	other  map[string]string
}

// readEnviron refuses unknown MM_ variables: a misspelt one would silently do nothing.
func readEnviron(list []string) (environ, error) {
	env := environ{values: map[string]string{}, other: map[string]string{}}
	for _, line := range list {
		name, value, _ := strings.Cut(line, "=")
		if !strings.HasPrefix(name, "MM_") {
			env.other[name] = value
			continue
		}
		if _, ok := setters[name]; !ok && !slices.Contains(clientVariables, name) {
			return environ{}, fmt.Errorf("%w: the environment variable %s is not known", ErrInvalid, name)
		}
		env.values[name] = value
	}
	return env, nil
}

// setters are all variables that override the file.
var setters = func() map[string]func(c *Config, value string) error {
	all := apiVariables()
	maps.Copy(all, peopleVariables())
	maps.Copy(all, plainSetters)
	return all
}()

// plainSetters has one line per variable that overrides the file. An empty value overrides nothing.
var plainSetters = map[string]func(c *Config, value string) error{
	"MM_DATA":     func(c *Config, v string) error { c.Data = v; return nil },
	"MM_DATABASE": func(c *Config, v string) error { c.Database = v; return nil },
	"MM_LISTEN":   func(c *Config, v string) error { c.Listen = v; return nil },
	"MM_TLS_CERT": func(c *Config, v string) error { c.TLSCert = v; return nil },
	"MM_TLS_KEY":  func(c *Config, v string) error { c.TLSKey = v; return nil },
	"MM_TLS":      func(c *Config, v string) error { c.TLS = v; return nil },
	"MM_TLS_NAMES": func(c *Config, v string) error {
		c.TLSNames = nil
		for _, name := range strings.Split(v, ",") {
			c.TLSNames = append(c.TLSNames, strings.TrimSpace(name))
		}
		return nil
	},
	"MM_INSECURE_HTTP": func(c *Config, v string) error {
		b, err := strconv.ParseBool(v)
		if err != nil {
			return fmt.Errorf("%w: MM_INSECURE_HTTP: %q, want true or false", ErrInvalid, v)
		}
		c.InsecureHTTP = b
		return nil
	},
	"MM_ROLES": func(c *Config, v string) error {
		c.Roles = nil
		for _, r := range strings.Split(v, ",") {
			c.Roles = append(c.Roles, strings.TrimSpace(r))
		}
		return nil
	},
	"MM_LOG_LEVEL": func(c *Config, v string) error { c.LogLevel = v; return nil },
	"MM_LOG_FILE":  func(c *Config, v string) error { c.LogFile = v; return nil },
	"MM_LOG_FILES": func(c *Config, v string) error {
		n, err := strconv.Atoi(v)
		if err != nil {
			return fmt.Errorf("%w: MM_LOG_FILES: %q, want a number", ErrInvalid, v)
		}
		c.LogFiles = n
		return nil
	},
	"MM_LOG_FILE_MB":   func(c *Config, v string) error { return megabytes("MM_LOG_FILE_MB", v, &c.LogFileMB) },
	"MM_DISK_ALARM_MB": func(c *Config, v string) error { return megabytes("MM_DISK_ALARM_MB", v, &c.DiskAlarmMB) },
	"MM_DISK_STOP_MB":  func(c *Config, v string) error { return megabytes("MM_DISK_STOP_MB", v, &c.DiskStopMB) },
	"MM_DATA_MAX_MB":   func(c *Config, v string) error { return megabytes("MM_DATA_MAX_MB", v, &c.DataMaxMB) },
}

func megabytes(name, value string, to *int64) error {
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		return fmt.Errorf("%w: %s: %q, want a number of megabytes", ErrInvalid, name, value)
	}
	*to = n
	return nil
}

func (e environ) apply(c *Config) error {
	for name, set := range setters {
		if v := e.values[name]; v != "" {
			if err := set(c, v); err != nil {
				return err
			}
		}
	}
	return nil
}

// defaultData is the data folder when nobody names one: what systemd gave, the system's
// place for a service, or the user's own.
func (e environ) defaultData() string {
	if first, _, _ := strings.Cut(e.other["STATE_DIRECTORY"], ":"); first != "" {
		return first
	}
	if runtime.GOOS == "windows" || os.Geteuid() == 0 {
		return ServiceData(e.other["ProgramData"])
	}
	if d := e.other["XDG_DATA_HOME"]; filepath.IsAbs(d) {
		return filepath.Join(d, "metermanager")
	}
	if home := e.other["HOME"]; home != "" {
		return filepath.Join(home, ".local", "share", "metermanager")
	}
	return ""
}

// ServiceData is the data folder of the system service. programData is what Windows says
// about itself; elsewhere it does not matter.
func ServiceData(programData string) string {
	if runtime.GOOS != "windows" {
		return "/var/lib/metermanager"
	}
	if programData == "" {
		programData = `C:\ProgramData`
	}
	return filepath.Join(programData, "MeterManager")
}
