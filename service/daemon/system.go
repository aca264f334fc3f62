package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/kardianos/service"

	"metermanager/installer"
)

// ErrNoServiceManager marks a machine that has neither systemd nor Windows services.
var ErrNoServiceManager = errors.New("this machine runs neither systemd nor Windows services: start the program in the foreground with \"metermanager run\"")

// ErrNotInstalled marks an action on a service that is not installed.
var ErrNotInstalled = errors.New("the service is not installed: run \"metermanager service install\" first")

// Installation says how the service is to be installed.
type Installation struct {
	Executable string // absolute; "" is this program
	Data       string // absolute data folder
	Config     string // configuration file, absolute, or ""
	User       string // Linux account; "" is installer.DefaultUser
}

// args are the arguments with which the service manager starts the program.
func (i Installation) args() []string {
	args := []string{"run", "--data", i.Data}
	if i.Config != "" {
		args = append(args, "--config", i.Config)
	}
	return args
}

// Unit returns the text of the systemd unit that Install would write.
func (i Installation) Unit() (string, error) {
	if err := i.complete(); err != nil {
		return "", err
	}
	_, err := user.Lookup(i.User)
	return installer.Unit(installer.Service{
		Executable: i.Executable, Args: i.args(), User: i.User, UserExists: err == nil, Data: i.Data,
	})
}

func (i *Installation) complete() error {
	if i.User == "" {
		i.User = installer.DefaultUser
	}
	if i.Executable != "" {
		return nil
	}
	exe, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program's file: %w", err)
	}
	if i.Executable, err = filepath.EvalSymlinks(exe); err != nil {
		return fmt.Errorf("find this program's file: %w", err)
	}
	return nil
}

// Options returns what the service library is told for the given operating system.
func (i Installation) Options(goos string) (*service.Config, error) {
	if err := i.complete(); err != nil {
		return nil, err
	}
	c := &service.Config{
		Name: installer.Name, DisplayName: installer.DisplayName, Description: installer.Description,
		Arguments: i.args(), Executable: i.Executable,
	}
	if goos == "windows" {
		c.Option = service.KeyValue(installer.WindowsOptions())
		c.UserName = installer.WindowsAccount
		return c, nil
	}
	unit, err := i.Unit()
	if err != nil {
		return nil, err
	}
	if strings.Contains(unit, "{{") {
		return nil, fmt.Errorf("unit: a path or argument holds {{")
	}
	c.UserName = i.User
	c.Option = service.KeyValue{"SystemdScript": unit}
	return c, nil
}

// Control does one of install, uninstall, start, stop and restart.
func (i Installation) Control(ctx context.Context, action string) error {
	s, err := i.open()
	if err != nil {
		return err
	}
	if action != "install" && action != "uninstall" {
		if _, err := s.Status(); errors.Is(err, service.ErrNotInstalled) {
			return ErrNotInstalled
		}
	}
	if action == "install" {
		if err := i.prepare(ctx); err != nil {
			return err
		}
	}
	if err := service.Control(s, action); err != nil {
		return fmt.Errorf("%s the service: %w", action, err)
	}
	return nil
}

// Status is "running", "stopped" or "not installed".
func (i Installation) Status() (string, error) {
	s, err := i.open()
	if err != nil {
		return "", err
	}
	status, err := s.Status()
	switch {
	case errors.Is(err, service.ErrNotInstalled):
		return "not installed", nil
	case err != nil:
		return "", fmt.Errorf("ask the service manager: %w", err)
	case status == service.StatusRunning:
		return "running", nil
	}
	return "stopped", nil
}

func (i Installation) open() (service.Service, error) {
	system := service.ChosenSystem()
	if system == nil || runtime.GOOS == "linux" && system.String() != "linux-systemd" {
		return nil, ErrNoServiceManager
	}
	c, err := i.Options(runtime.GOOS)
	if err != nil {
		return nil, err
	}
	s, err := service.New(&program{}, c)
	if err != nil {
		return nil, fmt.Errorf("open the service manager: %w", err)
	}
	return s, nil
}

// prepare makes the data folder of a Windows service readable for its account,
// administrators and nobody else. systemd makes the folder of a Linux service itself.
func (i Installation) prepare(ctx context.Context) error {
	if runtime.GOOS != "windows" {
		return nil
	}
	if err := os.MkdirAll(i.Data, 0o700); err != nil {
		return fmt.Errorf("make the data folder: %w", err)
	}
	const full = ":(OI)(CI)F" // LocalService, SYSTEM, Administrators by their numbers: names are translated
	out, err := exec.CommandContext(ctx, "icacls", i.Data, "/inheritance:r",
		"/grant:r", "*S-1-5-19"+full, "*S-1-5-18"+full, "*S-1-5-32-544"+full).CombinedOutput()
	if err != nil {
		return fmt.Errorf("set the rights of %s: %w: %s", i.Data, err, strings.TrimSpace(string(out)))
	}
	return nil
}

// Host calls run until ctx ends. Started by the Windows service manager, it answers that
// one and ends run when asked to stop; everywhere else it just runs.
func Host(ctx context.Context, run func(context.Context) error) error {
	if runtime.GOOS != "windows" || service.Interactive() {
		return run(ctx)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	p := &program{run: run, ctx: ctx, cancel: cancel, done: make(chan error, 1), exit: os.Exit}
	s, err := service.New(p, &service.Config{Name: installer.Name})
	if err != nil {
		return fmt.Errorf("open the service manager: %w", err)
	}
	return s.Run()
}

// program adapts a Run(ctx) to a start and a stop. It lives as long as one call of Host,
// whose context it carries between the library's two calls.
type program struct {
	run    func(context.Context) error
	ctx    context.Context
	cancel context.CancelFunc
	done   chan error
	exit   func(code int)
}

// Start begins the run.
func (p *program) Start(service.Service) error {
	go func() {
		err := p.run(p.ctx)
		p.done <- err
		if err != nil && p.ctx.Err() == nil {
			// Ending without a word makes the service manager's recovery start it again;
			// an orderly "stopped" would leave it down.
			p.exit(1)
		}
	}()
	return nil
}

// Stop ends the run and waits for it.
func (p *program) Stop(service.Service) error {
	p.cancel()
	return <-p.done
}
