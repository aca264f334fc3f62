package installer_test

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"metermanager/installer"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestUnit(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		service installer.Service
	}{
		{"default", installer.Service{Executable: "/usr/local/bin/metermanager", Args: []string{"run", "--data", "/var/lib/metermanager"},
			User: installer.DefaultUser, Data: "/var/lib/metermanager"}},
		{"own-account", installer.Service{Executable: "/opt/meter manager/mm", Args: []string{"run", "--data", "/srv/100% \"meters\""},
			User: "meters", UserExists: true, Data: "/srv/100% \"meters\""}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := installer.Unit(tt.service)
			if err != nil {
				t.Fatal(err)
			}
			golden := filepath.Join("testdata", tt.name+".service")
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != strings.ReplaceAll(string(want), "\r\n", "\n") {
				t.Errorf("unit differs from %s:\n%s", golden, got)
			}
		})
	}
}

func TestUnitHoldsWhatWePromise(t *testing.T) {
	t.Parallel()
	unit, err := installer.Unit(installer.Service{Executable: "/usr/bin/metermanager", User: "metermanager", Data: "/var/lib/metermanager"})
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"Type=notify", "RestartSec=5", "Restart=always", "User=metermanager", "StateDirectory=metermanager",
		"NoNewPrivileges=yes", "ProtectSystem=strict", "WatchdogSec=60", "TimeoutStopSec=30"} {
		if !strings.Contains(unit, "\n"+line+"\n") {
			t.Errorf("the unit lacks %s", line)
		}
	}
	if strings.Contains(unit, "{{") {
		t.Error("the unit holds a template mark")
	}
}

func TestUnitRefuses(t *testing.T) {
	t.Parallel()
	good := installer.Service{Executable: "/bin/mm", User: "m", UserExists: true, Data: "/srv/m"}
	for name, change := range map[string]func(*installer.Service){
		"relative program":                       func(s *installer.Service) { s.Executable = "mm" },
		"relative data":                          func(s *installer.Service) { s.Data = "m" },
		"no user":                                func(s *installer.Service) { s.User = "" },
		"user with a line break":                 func(s *installer.Service) { s.User = "a\nb" },
		"argument with a line break":             func(s *installer.Service) { s.Args = []string{"a\nExecStart=b"} },
		"data elsewhere without its own account": func(s *installer.Service) { s.UserExists = false },
	} {
		s := good
		change(&s)
		if unit, err := installer.Unit(s); err == nil {
			t.Errorf("%s: no error, but\n%s", name, unit)
		}
	}
}

// systemd itself reads the unit where its tools are installed.
func TestUnitIsReadBySystemd(t *testing.T) {
	t.Parallel()
	tool, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not installed")
	}
	dir := t.TempDir()
	program := filepath.Join(dir, "metermanager")
	if err := os.WriteFile(program, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	unit, err := installer.Unit(installer.Service{Executable: program, Args: []string{"run"}, User: "metermanager", Data: "/var/lib/metermanager"})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "metermanager.service")
	if err := os.WriteFile(file, []byte(unit), 0o644); err != nil {
		t.Fatal(err)
	}
	out, _ := exec.Command(tool, "verify", "--man=no", file).CombinedOutput()
	for _, line := range strings.Split(string(out), "\n") {
		if strings.Contains(line, file) || strings.Contains(line, "Unknown") {
			t.Errorf("systemd-analyze: %s", line)
		}
	}
}

func TestWindowsOptions(t *testing.T) {
	t.Parallel()
	o := installer.WindowsOptions()
	for key, want := range map[string]any{"OnFailure": "restart", "OnFailureDelayDuration": "5s", "DelayedAutoStart": true} {
		if o[key] != want {
			t.Errorf("%s is %v, want %v", key, o[key], want)
		}
	}
	if _, ok := o["OnFailureResetPeriod"].(int); !ok {
		t.Errorf("OnFailureResetPeriod is %T; the service library reads an int", o["OnFailureResetPeriod"])
	}
}
