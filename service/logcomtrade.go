package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"metermanager/logdb/format"
	"metermanager/logdb/format/comtrade"
	"metermanager/rpc/client"
)

// exportComtrade writes one recording as a COMTRADE record: a .cff, or a .cfg with its .dat.
func (c *logExportCmd) exportComtrade(ctx context.Context, p *program, service *client.Client, q query) error {
	if c.Recording == "" {
		return usageError{"--format comtrade goes with --recording: one record holds one recording"}
	}
	ext := filepath.Ext(c.Out)
	form := comtrade.Form{Revision: c.Revision, Zone: q.zone, Station: q.meter.Settings.Name}
	if c.Samples != "auto" {
		form.Type = comtrade.DataType(strings.ToUpper(c.Samples))
	}
	switch {
	case strings.EqualFold(ext, ".cff") && c.Revision == 1999:
		return usageError{"a .cff came with the revision of 2013: name a .cfg, or leave --revision out"}
	case !strings.EqualFold(ext, ".cff") && !strings.EqualFold(ext, ".cfg"):
		return usageError{"--format comtrade goes with --out NAME.cff, or --out NAME.cfg for a .cfg and a .dat"}
	case c.Revision == 1999 && (form.Type == comtrade.Binary32 || form.Type == comtrade.Float32):
		return usageError{"--samples " + c.Samples + " came with the revision of 2013; 1999 has ascii and binary"}
	}
	entry, err := c.recording(ctx, service, q)
	if err != nil {
		return err
	}
	s := q.meter.Settings
	form.Device = strings.TrimSpace(s.Make + " " + s.Model + " " + s.Serial)
	rec := format.RecordingOf(&entry, q.zone)
	names := []string{c.Out}
	write := func(out []io.Writer) error { return comtrade.WriteCFF(out[0], &rec, form) }
	if strings.EqualFold(ext, ".cfg") {
		dat := ".dat"
		if ext == ".CFG" {
			dat = ".DAT"
		}
		// The data appear first: a .cfg is what others look for.
		names = []string{strings.TrimSuffix(c.Out, ext) + dat, c.Out}
		write = func(out []io.Writer) error { return comtrade.Write(out[1], out[0], &rec, form) }
	}
	if err := writeFiles(names, write); err != nil {
		return err
	}
	fmt.Fprintf(p.stderr, "1 recording written to %s\n", strings.Join(names, " and "))
	return nil
}

// writeFiles writes files that appear only when all of them are complete, in their order.
func writeFiles(names []string, write func([]io.Writer) error) (err error) {
	var files []*os.File
	defer func() {
		for _, f := range files {
			if err != nil {
				_ = f.Close()
				_ = os.Remove(f.Name())
			}
		}
	}()
	var out []io.Writer
	for _, name := range names {
		f, err := os.CreateTemp(dirOf(name), ".export-*")
		if err != nil {
			return fmt.Errorf("write the export: %w", err)
		}
		files, out = append(files, f), append(out, f)
	}
	if err := write(out); err != nil {
		return fmt.Errorf("write the export: %w", err)
	}
	for _, f := range files {
		if err := errors.Join(f.Chmod(0o644), f.Close()); err != nil {
			return fmt.Errorf("write the export: %w", err)
		}
	}
	for i, f := range files {
		if err := os.Rename(f.Name(), names[i]); err != nil {
			return fmt.Errorf("write the export: %w", err)
		}
	}
	return nil
}
