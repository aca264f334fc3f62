package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"metermanager/service/backup"
	"metermanager/service/config"
)

// restoreCmd makes a data folder of a backup.
type restoreCmd struct {
	File       string `arg:"" type:"existingfile" help:"Backup to restore."`
	Folder     string `type:"path" placeholder:"DIR" help:"Data folder to make; the configured one without it."`
	Passphrase string `name:"passphrase-file" placeholder:"FILE" help:"Passphrase of an encrypted backup, in the first line of FILE; - is standard input."`
	Replace    bool   `help:"Move what is in the folder aside; it is kept in before-restore-TIME."`
	Quick      bool   `help:"Check the files and databases, but not every record."`
	JSON       bool   `name:"json" help:"Print the result as JSON."`
}

// Help shows an example.
func (restoreCmd) Help() string {
	return `Example: metermanager restore /mnt/safe/site.backup --folder /var/lib/metermanager

Refuses a folder in which a service works, and one that is not empty (--replace moves its content aside). Files are unpacked, checked, and only then put in their place. A restore that was killed is known: the service does not start in such a folder, and restore begins again.`
}

// Run restores.
func (c *restoreCmd) Run(ctx context.Context, p *program) error {
	passphrase, err := readPassphrase(c.Passphrase, p.stdin)
	if err != nil {
		return err
	}
	dir, err := dataFolder(c.Folder, p.environ)
	if err != nil {
		return err
	}
	say := p.progress()
	r, err := backup.Restore(ctx, c.File, dir, backup.RestoreOptions{
		Passphrase: passphrase, Replace: c.Replace, Quick: c.Quick, Progress: say, Logger: slog.New(slog.DiscardHandler),
	})
	say("")
	if errors.Is(err, backup.ErrNotEmpty) {
		return usageError{err.Error()}
	}
	if err != nil {
		return err
	}
	notes := append(whatRestoredNodeDoes(r.Manifest), r.Notes...)
	if c.JSON {
		return printJSON(p.stdout, map[string]any{
			"folder": dir, "created": r.Created, "version": r.Version, "files": len(r.Files), "bytes": r.Bytes(), "master_key": r.MasterKey, "aside": r.Aside, "notes": notes,
		})
	}
	fmt.Fprintf(p.stdout, "%s is now what %s was at %s (%d files, %s MB).\n", dir, r.Node, r.Created.Local().Format(time.DateTime), len(r.Files), megabytes(r.Bytes()))
	if r.Aside != "" {
		fmt.Fprintf(p.stdout, "What was there before is in %s; remove it when you need it no more.\n", r.Aside)
	}
	for _, text := range notes {
		fmt.Fprintln(p.stdout, "-", text)
	}
	return nil
}

// whatRestoredNodeDoes tells what follows from a restore.
func whatRestoredNodeDoes(m backup.Manifest) []string {
	out := []string{
		"Do not start it beside the node that it was taken from: both would write the same journals.",
		"Where a cloud holds more of a journal than was restored, the node draws a new journal id before it sends anything, so that no position is used twice and nothing is taken for a repeat.",
		"Meters with a memory are read on from the last restored record. What a cloud holds beyond that stays there; what was recorded after the backup and is in no meter and no cloud is lost.",
		"metermanager verify compares it with meters and clouds once it runs.",
		"The configuration that the node ran with is in restored-config.json, when the backup was taken from a running service; certificates and files outside of the data folder are not in a backup.",
	}
	if !m.MasterKey {
		out = append(out, "The backup holds no master key: put secrets/master.key in its place before the start. Without it the service does not start.")
	}
	return out
}

// dataFolder is the folder that is named, or the configured one.
func dataFolder(named string, environ []string) (string, error) {
	if named != "" {
		return named, nil
	}
	c, err := config.Load(config.Options{Environ: environ})
	if err != nil {
		return "", err
	}
	return c.Data, nil
}

// rollbackCmd undoes the migrations of an upgrade.
type rollbackCmd struct {
	Folder  string `type:"path" placeholder:"DIR" help:"Data folder; the configured one without it."`
	Upgrade string `placeholder:"TIME" help:"Go back to before this upgrade, such as 20260301T120000Z; the last one without it."`
	JSON    bool   `name:"json" help:"Print the result as JSON."`
}

// Help shows an example.
func (rollbackCmd) Help() string {
	return `Example: metermanager rollback --folder /var/lib/metermanager

Before a new version changes the form of a database it takes a copy. This puts the copies of the last upgrade back, while the service is stopped; then install the older version. What was recorded since the upgrade is kept in before-restore-TIME, and meters with a memory are read again.`
}

// Run puts the copies back.
func (c *rollbackCmd) Run(ctx context.Context, p *program) error {
	dir, err := dataFolder(c.Folder, p.environ)
	if err != nil {
		return err
	}
	r, err := backup.Rollback(ctx, dir, c.Upgrade, time.Now)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(p.stdout, map[string]any{"folder": dir, "upgrade": r.Upgrade, "databases": r.Databases, "aside": r.Aside})
	}
	for _, name := range r.Databases {
		fmt.Fprintf(p.stdout, "%s is as it was before the upgrade at %s.\n", name, r.Upgrade)
	}
	fmt.Fprintf(p.stdout, "The newer databases are in %s. Start the older version of the program: this one would migrate again.\n", r.Aside)
	return nil
}
