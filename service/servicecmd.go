package main

import (
	"context"
	"fmt"
	"os"

	"metermanager/installer"
	"metermanager/service/config"
	"metermanager/service/daemon"
)

// serviceCmd installs and controls the system service.
type serviceCmd struct {
	Install   installCmd   `cmd:"" help:"Install the service, to be started with the machine."`
	Uninstall uninstallCmd `cmd:"" help:"Remove the service; data and settings stay."`
	Start     startCmd     `cmd:"" help:"Start the service."`
	Stop      stopCmd      `cmd:"" help:"Stop the service."`
	Restart   restartCmd   `cmd:"" help:"Stop and start the service."`
	Status    svcStatusCmd `cmd:"" help:"Tell whether the service runs."`
}

type installCmd struct {
	Data   string `placeholder:"DIR" help:"Data folder (default: the system's place)."`
	Config string `type:"path" placeholder:"FILE" help:"Configuration file (default: metermanager.json in the data folder)."`
	User   string `placeholder:"NAME" help:"Linux account (default: metermanager); one that does not exist is made while the service runs."`
	Print  bool   `help:"Print the systemd unit and change nothing."`
}

// Help shows an example.
func (installCmd) Help() string {
	return `Example: sudo metermanager service install && sudo metermanager service start

Linux: a systemd unit with its own account, watchdog and restart after 5 s. Windows: a service that starts after the system and is started again after a failure.`
}

// Run installs the service.
func (c *installCmd) Run(ctx context.Context, p *program) error {
	data := c.Data
	if data == "" {
		data = config.ServiceData(os.Getenv("ProgramData"))
	}
	conf, err := config.Load(config.Options{File: c.Config, Data: data, Environ: p.environ})
	if err != nil {
		return err
	}
	i := daemon.Installation{Data: conf.Data, Config: c.Config, User: c.User}
	if c.Print {
		unit, err := i.Unit()
		if err != nil {
			return usageError{err.Error()}
		}
		_, err = fmt.Fprint(p.stdout, unit)
		return err
	}
	if err := i.Control(ctx, "install"); err != nil {
		return err
	}
	fmt.Fprintf(p.stdout, "Installed. Data: %s\nStart it with: metermanager service start\n", conf.Data)
	return nil
}

type uninstallCmd struct{}

// Help shows an example.
func (uninstallCmd) Help() string { return "Example: sudo metermanager service uninstall" }

// Run removes the service.
func (uninstallCmd) Run(ctx context.Context, p *program) error {
	return control(ctx, p, "uninstall", "Removed. The data folder was left as it is.")
}

type startCmd struct{}

// Help shows an example.
func (startCmd) Help() string { return "Example: sudo metermanager service start" }

// Run starts the service.
func (startCmd) Run(ctx context.Context, p *program) error {
	return control(ctx, p, "start", "Started.")
}

type stopCmd struct{}

// Help shows an example.
func (stopCmd) Help() string { return "Example: sudo metermanager service stop" }

// Run stops the service.
func (stopCmd) Run(ctx context.Context, p *program) error { return control(ctx, p, "stop", "Stopped.") }

type restartCmd struct{}

// Help shows an example.
func (restartCmd) Help() string { return "Example: sudo metermanager service restart" }

// Run restarts the service.
func (restartCmd) Run(ctx context.Context, p *program) error {
	return control(ctx, p, "restart", "Restarted.")
}

type svcStatusCmd struct {
	JSON bool `name:"json" help:"Print the result as JSON."`
}

// Help shows an example.
func (svcStatusCmd) Help() string {
	return "Example: metermanager service status\n\nExit code 0 when it runs, 1 when it is stopped, 5 when it is not installed."
}

// Run prints the state of the service.
func (c *svcStatusCmd) Run(p *program) error {
	state, err := installation().Status()
	if err != nil {
		return err
	}
	if c.JSON {
		err = printJSON(p.stdout, map[string]string{"service": installer.Name, "state": state})
	} else {
		_, err = fmt.Fprintln(p.stdout, state)
	}
	switch {
	case err != nil:
		return err
	case state == "stopped":
		return exitError{exitFailed}
	case state == "not installed":
		return exitError{exitNotFound}
	}
	return nil
}

func control(ctx context.Context, p *program, action, done string) error {
	if err := installation().Control(ctx, action); err != nil {
		return err
	}
	_, err := fmt.Fprintln(p.stdout, done)
	return err
}

// installation describes the installed service well enough to control it by its name.
func installation() daemon.Installation {
	return daemon.Installation{Data: config.ServiceData(os.Getenv("ProgramData"))}
}
