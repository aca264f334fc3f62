package config

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// The roles that a process can have.
const (
	RoleSite  = "site"  // retrieves from meters and uploads to a cloud
	RoleCloud = "cloud" // accepts registrations and uploads of other managers and meters
)

// The values of LogFile.
const (
	LogFileAuto = "auto"
	LogFileOn   = "on"
	LogFileOff  = "off"
)

// The values of TLS.
const (
	TLSAuto = "auto"
	TLSOn   = "on"
)

// mostMB bounds sizes: an exabyte.
const mostMB = 1 << 40

// FileName is the configuration's name inside a data folder.
const FileName = "metermanager.json"

// DefaultListen is where the web API listens when nothing else is said.
const DefaultListen = "127.0.0.1:8080"

// ErrInvalid marks a configuration that breaks a rule; the program does not start with it.
var ErrInvalid = errors.New("invalid configuration")

// Config is the effective configuration. It holds no secrets: keys and passwords live in
// the data folder.
type Config struct {
	// Data is the folder of databases and secrets, absolute.
	Data string `json:"data"`
	// Database is the address of a PostgreSQL database for logs, accounts and all other state; "" keeps them in files of the data
	// folder. It holds no password: PGPASSFILE, PGPASSWORD or a service file give it.
	Database string `json:"database,omitempty"`
	// Listen is host:port of the web API. Outside loopback it needs TLS, or InsecureHTTP.
	Listen string `json:"listen"`
	// TLSCert and TLSKey are PEM files; both or none.
	TLSCert string `json:"tls_cert"`
	TLSKey  string `json:"tls_key"`
	// TLS says when the web API speaks HTTPS without TLSCert, with a certificate of the node's own authority: auto (outside
	// loopback) or on (always).
	TLS string `json:"tls"`
	// TLSNames are the host names and addresses under which others reach this node, for that certificate.
	TLSNames []string `json:"tls_names,omitempty"`
	// InsecureHTTP allows plain HTTP outside loopback, for a proxy that adds TLS.
	InsecureHTTP bool `json:"insecure_http"`
	// Roles are site, cloud or both (the default).
	Roles []string `json:"roles"`
	// LogLevel is debug, info (the default), warn or error.
	LogLevel string `json:"log_level"`
	// LogFile says whether the program's log is kept in the data folder: auto (as a service), on or off.
	LogFile string `json:"log_file"`
	// LogFileMB bounds each file of the log, LogFiles is how many older ones are kept.
	LogFileMB int64 `json:"log_file_mb"`
	LogFiles  int   `json:"log_files"`
	// DiskAlarmMB is the room on the disk below which the node asks for help, DiskStopMB the one below
	// which it takes nothing in any more.
	DiskAlarmMB int64 `json:"disk_alarm_mb"`
	DiskStopMB  int64 `json:"disk_stop_mb"`
	// DataMaxMB bounds the data folder; 0: only the disk does.
	DataMaxMB int64 `json:"data_max_mb"`
	API
	// People says how people make accounts and get mail.
	People
}

// Options say where the configuration comes from. The zero value reads the process's
// environment and the default folder.
type Options struct {
	// File is the configuration file; "" looks in the data folder, then in the system's place.
	File string
	// Data and Listen, when set, win over the file and the environment.
	Data, Listen string
	// Environ is the environment as os.Environ gives it; nil takes the process's.
	Environ []string
}

// Load puts together defaults, file, environment and options, each winning over the one
// before, and checks the result.
func Load(o Options) (Config, error) {
	if o.Environ == nil {
		o.Environ = os.Environ()
	}
	env, err := readEnviron(o.Environ)
	if err != nil {
		return Config{}, err
	}
	c := Config{
		Data: env.defaultData(), Listen: DefaultListen, TLS: TLSAuto, Roles: []string{RoleSite, RoleCloud}, People: People{Registration: RegistrationJoin}, LogLevel: "info",
		LogFile: LogFileAuto, LogFileMB: 10, LogFiles: 4, DiskAlarmMB: 1024, DiskStopMB: 256, API: defaultAPI,
	}

	file, explicit := firstNonEmpty(o.File, env.values["MM_CONFIG"]), true
	if file == "" {
		file, explicit = findFile(firstNonEmpty(o.Data, env.values["MM_DATA"], c.Data)), false
	}
	if file != "" {
		if err := c.readFile(file); err != nil && (explicit || !errors.Is(err, fs.ErrNotExist)) {
			return Config{}, err
		}
	}
	if err := env.apply(&c); err != nil {
		return Config{}, err
	}
	c.Data = firstNonEmpty(o.Data, c.Data)
	c.Listen = firstNonEmpty(o.Listen, c.Listen)
	if err := c.absolute(); err != nil {
		return Config{}, err
	}
	return c, c.Check()
}

// Check reports the first rule that c breaks.
func (c *Config) Check() error {
	if c.Data == "" {
		return fmt.Errorf("%w: data: no folder given, and no home folder to take a default from", ErrInvalid)
	}
	if err := c.checkDatabase(); err != nil {
		return err
	}
	if err := c.checkListen(); err != nil {
		return err
	}
	if (c.TLSCert == "") != (c.TLSKey == "") {
		return fmt.Errorf("%w: tls_cert and tls_key belong together: give both or none", ErrInvalid)
	}
	if len(c.Roles) == 0 {
		return fmt.Errorf("%w: roles: want site, cloud or both", ErrInvalid)
	}
	for _, r := range c.Roles {
		if r != RoleSite && r != RoleCloud {
			return fmt.Errorf("%w: roles: %q is not known, want site, cloud or both", ErrInvalid, r)
		}
	}
	if _, err := c.Level(); err != nil {
		return err
	}
	if err := c.checkAPI(); err != nil {
		return err
	}
	if err := c.checkPeople(); err != nil {
		return err
	}
	return c.checkBounds()
}

// checkDatabase reports an address that is none of PostgreSQL, or that holds a password: the configuration is shown and copied.
func (c *Config) checkDatabase() error {
	if c.Database == "" {
		return nil
	}
	u, err := url.Parse(c.Database)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return fmt.Errorf("%w: database: want postgres://USER@HOST:PORT/DATABASE, or nothing for files in the data folder", ErrInvalid)
	}
	if _, has := u.User.Password(); has || u.Query().Has("password") {
		return fmt.Errorf("%w: database: the address must not hold a password; give it by PGPASSFILE or PGPASSWORD", ErrInvalid)
	}
	return nil
}

// checkBounds reports a bound of log or disk that makes no sense.
func (c *Config) checkBounds() error {
	switch c.LogFile {
	case "", LogFileAuto, LogFileOn, LogFileOff:
	default:
		return fmt.Errorf("%w: log_file: %q, want auto, on or off", ErrInvalid, c.LogFile)
	}
	switch {
	case c.LogFileMB < 0 || c.LogFileMB > mostMB || c.LogFiles < 0 || c.LogFiles > 1000:
		return fmt.Errorf("%w: log_file_mb, log_files: want sizes of 1 to %d MB, and up to 1000 files", ErrInvalid, mostMB)
	case c.DiskAlarmMB < 0 || c.DiskAlarmMB > mostMB || c.DiskStopMB < 0 || c.DataMaxMB < 0 || c.DataMaxMB > mostMB:
		return fmt.Errorf("%w: disk_alarm_mb, disk_stop_mb, data_max_mb: want 0 to %d", ErrInvalid, mostMB)
	case c.DiskStopMB > c.DiskAlarmMB:
		return fmt.Errorf("%w: disk_stop_mb: %d is more than disk_alarm_mb (%d): the alarm must come first", ErrInvalid, c.DiskStopMB, c.DiskAlarmMB)
	}
	return nil
}

// checkListen reports an address that is none, and a TLS that is not known.
func (c *Config) checkListen() error {
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		return fmt.Errorf("%w: listen: %q, want host:port such as %s", ErrInvalid, c.Listen, DefaultListen)
	}
	switch c.TLS {
	case "", TLSAuto, TLSOn:
		return nil
	}
	return fmt.Errorf("%w: tls: %q, want auto or on (insecure_http is plain HTTP, behind a proxy that adds TLS)", ErrInvalid, c.TLS)
}

// OwnTLS reports whether the web API speaks HTTPS with a certificate of the node's own authority: credentials never cross
// a network in the clear by accident.
func (c *Config) OwnTLS() bool {
	host, _, err := net.SplitHostPort(c.Listen)
	return c.TLSCert == "" && (c.TLS == TLSOn || err == nil && !loopback(host) && !c.InsecureHTTP)
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// HasRole reports whether c has the role.
func (c *Config) HasRole(role string) bool { return slices.Contains(c.Roles, role) }

// Level returns the log level.
func (c *Config) Level() (slog.Level, error) {
	switch c.LogLevel {
	case "debug":
		return slog.LevelDebug, nil
	case "", "info":
		return slog.LevelInfo, nil
	case "warn":
		return slog.LevelWarn, nil
	case "error":
		return slog.LevelError, nil
	}
	return 0, fmt.Errorf("%w: log_level: %q, want debug, info, warn or error", ErrInvalid, c.LogLevel)
}

// URL is the address at which this machine reaches the web API.
func (c *Config) URL() string {
	scheme := "http://"
	if c.TLSCert != "" || c.OwnTLS() {
		scheme = "https://"
	}
	host, port, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return scheme + c.Listen
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return scheme + net.JoinHostPort(host, port)
}

// absolute makes the paths absolute: a system service starts in another folder.
func (c *Config) absolute() error {
	for _, p := range []*string{&c.Data, &c.TLSCert, &c.TLSKey, &c.SMTPPasswordFile} {
		if *p == "" || p == &c.SMTPPasswordFile && strings.HasPrefix(*p, SecretPrefix) {
			continue
		}
		abs, err := filepath.Abs(*p)
		if err != nil {
			return fmt.Errorf("%w: path %s: %w", ErrInvalid, *p, err)
		}
		*p = abs
	}
	return nil
}

func firstNonEmpty(values ...string) string {
	for _, v := range values {
		if strings.TrimSpace(v) != "" {
			return v
		}
	}
	return ""
}
