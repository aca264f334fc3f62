package main

import (
	"context"
	"errors"
	"fmt"

	"metermanager/rpc/fault"
	"metermanager/service/config"
	"metermanager/service/daemon"
)

// The exit codes. docs/cli.md has the same table.
const (
	exitOK          = 0
	exitFailed      = 1 // it was tried and did not work
	exitUsage       = 2 // the command line or the configuration is wrong
	exitUnreachable = 3 // no service or meter answers there
	exitNotAllowed  = 4 // no credential, a wrong one, or one that does not reach that far
	exitNotFound    = 5 // no meter, log, command or recording of that name
	exitDifferent   = 6 // verify: records differ
	exitPending     = 7 // verify: nothing differs, but records wait for the cloud
	exitInterrupted = 130
)

// usageError marks a mistake of the caller that the parser cannot see.
type usageError struct{ text string }

func (e usageError) Error() string { return e.text }

// exitError carries an exit code of a command that has said everything already.
type exitError struct{ code int }

func (e exitError) Error() string { return fmt.Sprintf("exit %d", e.code) }

// report prints what did not work, why, and what to do next, and returns the exit code.
func (p *program) report(err error) int {
	if err == nil {
		return exitOK
	}
	var quiet exitError
	if errors.As(err, &quiet) {
		return quiet.code
	}
	var f *fault.Error
	if errors.As(err, &f) {
		p.complain(f)
	} else {
		fmt.Fprintln(p.stderr, "metermanager:", err)
	}
	return exitCode(err)
}

func (p *program) complain(f *fault.Error) {
	text := f.Message
	if f.Field != "" {
		text = f.Field + ": " + text
	}
	fmt.Fprintln(p.stderr, "metermanager:", text)
	if f.Code == fault.Unavailable || f.Code == fault.Timeout || f.Code == fault.Internal {
		if cause := errors.Unwrap(f); cause != nil {
			fmt.Fprintln(p.stderr, "Cause:", cause)
		}
	}
	hint := f.Hint
	if hint == "" && f.Code == fault.Unauthenticated {
		hint = "Give --key, or --user with --password (or MM_KEY, MM_USER, MM_PASSWORD), or the folder of a demonstration (--data DIR)."
	}
	if hint == "" && f.Code == fault.Unavailable && f.RequestID == "" {
		hint = "Does it run there? Start it with metermanager run, or a demonstration with metermanager demo; say where it is with --url, or --data DIR for a demonstration."
	}
	if hint != "" {
		fmt.Fprintln(p.stderr, hint)
	}
	if f.RequestID != "" {
		fmt.Fprintln(p.stderr, "Request:", f.RequestID)
	}
}

func exitCode(err error) int {
	var usage usageError
	switch {
	case errors.As(err, &usage), errors.Is(err, config.ErrInvalid):
		return exitUsage
	case errors.Is(err, daemon.ErrNotInstalled):
		return exitNotFound
	case errors.Is(err, context.Canceled):
		return exitInterrupted
	}
	switch fault.CodeOf(err) {
	case fault.Invalid, fault.TooLarge, fault.NotAcceptable:
		return exitUsage
	case fault.Unauthenticated, fault.Forbidden:
		return exitNotAllowed
	case fault.NotFound:
		return exitNotFound
	case fault.Unavailable, fault.Timeout:
		return exitUnreachable
	}
	return exitFailed
}
