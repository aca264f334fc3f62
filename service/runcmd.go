package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"runtime/debug"

	"metermanager/service/config"
	"metermanager/service/daemon"
)

// runCmd runs the service.
type runCmd struct {
	Data        string `placeholder:"DIR" help:"Data folder."`
	Config      string `type:"path" placeholder:"FILE" help:"Configuration file (default: metermanager.json in the data folder)."`
	Listen      string `placeholder:"HOST:PORT" help:"Address of the web API."`
	LogFormat   string `enum:"auto,text,json" default:"auto" help:"Form of log lines: text, json, or text on a terminal (auto)."`
	PrintConfig bool   `help:"Print the effective configuration and end. It holds no secrets."`

	// Parent is for programs that start this one: see parentInput.
	Parent bool `hidden:""`
}

// Help shows an example.
func (runCmd) Help() string {
	return `Example: metermanager run --data ./data --listen 127.0.0.1:8080

The first start prints a link with which the first user is made. What must be known before the start stands in metermanager.json (docs/config.md); MM_ variables win over the file, options over both. Ctrl-C ends the program within 20 s.`
}

// Run runs the service until ctx ends.
func (c *runCmd) Run(ctx context.Context, p *program) error {
	seams, environ, err := machine(p.environ)
	if err != nil {
		return err
	}
	conf, err := config.Load(config.Options{File: c.Config, Data: c.Data, Listen: c.Listen, Environ: environ})
	if err != nil {
		return err
	}
	if c.PrintConfig {
		return conf.Print(p.stdout)
	}
	options := daemon.Options{
		Version: version, Commit: commit(), Out: p.stdout, Log: p.stderr, Seams: seams,
		JSONLog: c.LogFormat == "json" || c.LogFormat == "auto" && !isTerminal(p.stderr),
	}
	if c.Parent {
		var cancel context.CancelFunc
		if ctx, cancel, err = parentInput(ctx, p.stdin, &options.Bootstrap); err != nil {
			return err
		}
		defer cancel()
	}
	return daemon.Host(ctx, func(ctx context.Context) error { return daemon.Run(ctx, conf, options) })
}

// parentInput reads what a parent process says on standard input: one line of JSON with
// the first user and key, so that no secret stands in a command line, then nothing. When
// the input ends, the parent is gone and ctx ends: no child outlives it.
func parentInput(ctx context.Context, stdin io.Reader, into any) (context.Context, context.CancelFunc, error) {
	d := json.NewDecoder(stdin)
	if err := d.Decode(into); err != nil && !errors.Is(err, io.EOF) {
		return nil, nil, fmt.Errorf("read what the parent process says: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		_, _ = io.Copy(io.Discard, stdin)
		cancel()
	}()
	return ctx, cancel, nil
}

// versionCmd prints the version.
type versionCmd struct {
	JSON bool `name:"json" help:"Print the result as JSON."`
}

// Help shows an example.
func (versionCmd) Help() string { return "Example: metermanager version --json" }

// Run prints the version.
func (c *versionCmd) Run(p *program) error {
	if c.JSON {
		return printJSON(p.stdout, map[string]string{
			"program": "metermanager", "version": version, "commit": commit(), "go": runtime.Version(),
			"platform": runtime.GOOS + "/" + runtime.GOARCH,
		})
	}
	_, err := fmt.Fprintf(p.stdout, "metermanager %s (%s, %s/%s)\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}

// commit is the revision that the program was built from, when the build noted it.
func commit() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return ""
}

// newLogger is the log of tools that run in the foreground.
func (p *program) newLogger() *slog.Logger {
	if f, ok := p.stderr.(*os.File); ok && isTerminal(f) {
		return slog.New(slog.NewTextHandler(p.stderr, nil))
	}
	return slog.New(slog.NewJSONHandler(p.stderr, nil))
}
