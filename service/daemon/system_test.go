package daemon_test

import (
	"strings"
	"testing"

	"metermanager/service/daemon"
)

func TestInstallationOptions(t *testing.T) {
	t.Parallel()
	i := daemon.Installation{Executable: "/usr/local/bin/metermanager", Data: "/var/lib/metermanager", Config: "/etc/metermanager/metermanager.json"}
	linux, err := i.Options("linux")
	if err != nil {
		t.Fatal(err)
	}
	unit, _ := linux.Option["SystemdScript"].(string)
	for _, line := range []string{
		"ExecStart=/usr/local/bin/metermanager run --data /var/lib/metermanager --config /etc/metermanager/metermanager.json",
		"User=metermanager", "RestartSec=5", "StateDirectory=metermanager", "NoNewPrivileges=yes", "ProtectSystem=strict", "WatchdogSec=60",
	} {
		if !strings.Contains(unit, line+"\n") {
			t.Errorf("the unit lacks %q:\n%s", line, unit)
		}
	}
	windows, err := i.Options("windows")
	if err != nil {
		t.Fatal(err)
	}
	if windows.Option["OnFailure"] != "restart" || windows.Option["DelayedAutoStart"] != true || windows.UserName == "" {
		t.Errorf("windows options %+v", windows)
	}
	if strings.Join(windows.Arguments, " ") != "run --data /var/lib/metermanager --config /etc/metermanager/metermanager.json" {
		t.Errorf("arguments %q", windows.Arguments)
	}
}

func TestInstallationRefusesTemplates(t *testing.T) {
	t.Parallel()
	i := daemon.Installation{Executable: "/opt/{{x}}/metermanager", Data: "/var/lib/metermanager"}
	if _, err := i.Options("linux"); err == nil {
		t.Error("a path that the service library would expand was taken")
	}
}
