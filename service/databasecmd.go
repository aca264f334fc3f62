package main

import (
	"context"
	"errors"
	"fmt"

	"metermanager/logdb/sqldb"
	"metermanager/service/config"
	"metermanager/service/dbcopy"
)

// databaseCmd is about where a node keeps its databases.
type databaseCmd struct {
	Copy databaseCopyCmd `cmd:"" help:"Move a node's databases between files and PostgreSQL, and compare."`
}

// databaseCopyCmd copies.
type databaseCopyCmd struct {
	From   string `arg:"" help:"files, or postgres://USER@HOST/DATABASE."`
	To     string `arg:"" help:"files, or postgres://USER@HOST/DATABASE; it must be empty."`
	Folder string `type:"path" placeholder:"DIR" help:"Data folder of the node; the configured one without it."`
	JSON   bool   `name:"json" help:"Print the result as JSON."`
}

// Help shows an example.
func (databaseCopyCmd) Help() string {
	return `Example: metermanager database copy files postgres://metermanager@db.example.net/metermanager

The service must be stopped. Logs, meters, users and the state of the cloud sync are copied, each database in one transaction; then every table is counted and every day of every log is compared by a digest of what each side holds. Archive files and secrets stay in the data folder. Nothing is removed where it came from. Then set database in the configuration (docs/config.md) and start the service.

Exit code 0: everything came. 6: the copy differs.`
}

// Run copies and compares.
func (c *databaseCopyCmd) Run(ctx context.Context, p *program) (err error) {
	folder, err := dataFolder(c.Folder, p.environ)
	if err != nil {
		return err
	}
	from, err := sideOf(folder, c.From)
	if err != nil {
		return err
	}
	to, err := sideOf(folder, c.To)
	if err != nil {
		return err
	}
	if (from.Database == "") == (to.Database == "") {
		return usageError{"one of the two must be files, the other a PostgreSQL database"}
	}
	unlock, err := config.LockFolder(folder)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	say := p.progress()
	words := map[string]string{"logs": "copying logs: %d of %d rows", "meta": "copying meters, users and settings: %d of %d rows", "compare": "comparing: %d of %d meters"}
	result, err := dbcopy.Copy(ctx, to, from, func(what string, done, total int64) { say(fmt.Sprintf(words[what], done, total)) })
	say("")
	if errors.Is(err, dbcopy.ErrDifferent) {
		fmt.Fprintln(p.stderr, "metermanager:", err)
		fmt.Fprintln(p.stderr, "Do not use the copy: empty it and copy again.")
		return exitError{exitDifferent}
	}
	if errors.Is(err, sqldb.ErrNotEmpty) {
		return fmt.Errorf("%w: copy into an empty database (?schema=NAME takes other schemas of the same one)", err)
	}
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(p.stdout, map[string]any{"from": from.String(), "to": to.String(), "rows": result.Rows, "meters": result.Meters, "streams": result.Streams, "days": result.Days})
	}
	fmt.Fprintf(p.stdout, "%s copied from %s to %s.\n%s of %s compared: all the same.\n", count(result.Rows, "row"), from, to,
		count(int64(result.Days), "day"), count(int64(result.Streams), "stream"))
	if to.Database != "" {
		fmt.Fprintf(p.stdout, "Set \"database\": %q in the configuration, then start the service.\n", to.String())
	} else {
		fmt.Fprintln(p.stdout, "Take database out of the configuration, then start the service.")
	}
	return nil
}

// sideOf reads one of the two places.
func sideOf(folder, text string) (dbcopy.Side, error) {
	switch {
	case text == "files":
		return dbcopy.Side{Folder: folder}, nil
	case sqldb.IsPostgres(text):
		if err := sqldb.CheckPostgres(text); err != nil {
			return dbcopy.Side{}, usageError{err.Error()}
		}
		return dbcopy.Side{Folder: folder, Database: text}, nil
	}
	return dbcopy.Side{}, usageError{fmt.Sprintf("%q: want files, or postgres://USER@HOST/DATABASE", text)}
}
