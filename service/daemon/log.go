package daemon

import (
	"runtime"

	"github.com/kardianos/service"

	"metermanager/service/applog"
	"metermanager/service/config"
)

// openLog opens the program's log. A service keeps it in the data folder, bounded, beside what the
// service manager keeps; in the foreground it goes to the terminal only, unless the configuration says
// otherwise.
func openLog(c config.Config, o Options) (*applog.Log, error) {
	level, err := c.Level()
	if err != nil {
		return nil, err
	}
	cfg := applog.Config{Out: o.Log, JSON: o.JSONLog, Level: level, MaxBytes: c.LogFileMB << 20, Keep: c.LogFiles, Now: o.Seams.Now}
	if c.LogFile == config.LogFileOn || c.LogFile != config.LogFileOff && asService(o) {
		cfg.File = config.LogFile(c.Data)
	}
	return applog.Open(cfg)
}

// asService reports whether a service manager has started the program.
func asService(o Options) bool {
	if runtime.GOOS == "windows" {
		return !service.Interactive()
	}
	return o.Getenv("NOTIFY_SOCKET") != ""
}
