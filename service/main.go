package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
	_ "time/tzdata" // Windows has no zone database

	"github.com/alecthomas/kong"
)

// version is set by the build.
var version = "dev"

// program is what a command may use of its process.
type program struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	environ        []string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second signal ends the program at once; not so the copy of the first one that a
	// parent or a shell passes on.
	context.AfterFunc(ctx, func() { time.AfterFunc(time.Second, stop) })
	p := &program{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, environ: os.Environ()}
	os.Exit(p.main(ctx, os.Args[1:]))
}

// main carries out one command line and returns the exit code.
func (p *program) main(ctx context.Context, args []string) int {
	if len(args) == 0 {
		args = []string{"--help"}
	}
	exit := -1
	var c cli
	parser, err := newParser(&c, p, func(code int) { exit = code })
	if err != nil {
		fmt.Fprintln(p.stderr, "metermanager:", err)
		return exitFailed
	}
	parsed, err := parser.Parse(args)
	if exit >= 0 { // --help has printed what was asked for
		return exit
	}
	if err != nil {
		p.usage(parser, err)
		return exitUsage
	}
	parsed.BindTo(ctx, (*context.Context)(nil))
	return p.report(parsed.Run(p))
}

func newParser(c *cli, p *program, exit func(int)) (*kong.Kong, error) {
	options := []kong.Option{
		kong.Name("metermanager"),
		kong.Description("Meter Manager retrieves the logs of electricity meters, keeps them, and uploads them to a cloud.\n\n" +
			"Try it: metermanager demo"),
		kong.Writers(p.stdout, p.stderr),
		kong.Exit(exit),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true, WrapUpperBound: 100}),
		kong.ExplicitGroups(groups()),
		kong.Vars{"demo_data": defaultDemo},
	}
	return kong.New(c, append(options, cloudCommands()...)...)
}

// usage prints what is wrong with a command line and where help is.
func (p *program) usage(parser *kong.Kong, err error) {
	fmt.Fprintln(p.stderr, "metermanager:", err)
	where := "metermanager --help"
	var parse *kong.ParseError
	if errors.As(err, &parse) && parse.Context != nil && parse.Context.Selected() != nil {
		where = "metermanager " + parse.Context.Selected().Path() + " --help"
	}
	fmt.Fprintln(p.stderr, "Help:", where)
}
