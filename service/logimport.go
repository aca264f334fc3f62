package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"metermanager/logdb"
	"metermanager/logdb/format"
	"metermanager/logdb/format/anyfile"
	"metermanager/logdb/format/csvlog"
)

// logImportCmd reads files of others and puts what they hold into the log of a meter.
type logImportCmd struct {
	remote
	Files     []string `arg:"" name:"file" help:"COMTRADE (its .cfg or .cff), PQDIF, Green Button or CSV; .gz too."`
	Meter     string   `placeholder:"METER" help:"Name, serial or UID of the meter that they are about."`
	DryRun    bool     `help:"Only read and tell what is in the files; needs no service and no meter."`
	JSON      bool     `name:"json" help:"Print one JSON object per file and line."`
	Format    string   `enum:"auto,comtrade,csv,greenbutton,pqdif" default:"auto" help:"auto (look at the file), comtrade, csv, greenbutton or pqdif."`
	Zone      string   `placeholder:"ZONE" help:"Time zone of times that carry none, such as Europe/Berlin (default: of the meter, else UTC)."`
	Charset   string   `placeholder:"NAME" help:"Character set of a text that is not UTF-8: iso-8859-1, windows-1251, gb18030 (default: guessed)."`
	LineHz    float64  `placeholder:"HZ" help:"Line frequency, where a recording states a wrong one."`
	Primary   bool     `help:"Take secondary samples to primary ones by the ratio that the file states."`
	Map       []string `sep:"none" placeholder:"NAME=KEY" help:"Call the file's channel NAME by a channel key, such as readings.voltage.an; one of a recording by any name."`
	Limited   bool     `help:"Import although limits of the service will skip or shorten some records."`
	Delimiter string   `group:"csv" placeholder:"SIGN" help:"Sign between cells; tab for a tab (default: found by looking)."`
	Decimal   string   `group:"csv" enum:"auto,point,comma" default:"auto" help:"Decimal sign: auto, point or comma."`
	Header    string   `group:"csv" enum:"auto,yes,no" default:"auto" help:"First line names the columns: auto, yes or no."`
	Time      []string `group:"csv" sep:"none" placeholder:"COLUMN" help:"Column of the time, by name or number from 1; again for a time in a column of its own."`
	TimeForm  string   `group:"csv" placeholder:"FORM" help:"iso, s, ms, us (since 1970), or a pattern such as 'DD.MM.YYYY hh:mm:ss'."`
	Column    []string `group:"csv" sep:"none" placeholder:"NAME" help:"Only this column: NAME, NAME=KEY, with @UNIT or *FACTOR behind (default: all with numbers)."`
	Starts    bool     `group:"csv" help:"A time begins the interval that a value covers (default: it ends it)."`
	Log       uint16   `group:"csv" placeholder:"N" help:"The meter's log of this number."`
}

// Help shows an example.
func (logImportCmd) Help() string {
	return `Example: metermanager log import --dry-run fault.cfg

Example: metermanager log import load.csv --meter main-incomer --zone Europe/Berlin --column 'load_kW=readings.power.watts'

The format is found by looking into the file. What is there already is not stored again. Channels that are not mapped keep their name: import.NAME. --json prints kind, station, channels with samples, first, min and max, start, trigger, records, what was assumed, what was not understood, and what the log takes otherwise (changed); a file that cannot be read has error instead.`
}

// imported is what an import prints of a file.
type imported struct {
	format.Report
	// Changed is what the log takes otherwise than the file has it.
	Changed  []string              `json:"changed"`
	Meter    logdb.MeterUID        `json:"meter,omitempty"`
	Imported map[string]importDone `json:"imported,omitempty"`
}

// unread is what it prints of a file that cannot be read.
type unread struct {
	File  string `json:"file"`
	Error string `json:"error"`
}

// Run reads the files, one after the other. A file that cannot be read keeps none of the others waiting.
func (c *logImportCmd) Run(ctx context.Context, p *program) error {
	opt, mapping, err := c.options()
	if err != nil {
		return err
	}
	var target *importTarget
	if !c.DryRun {
		if c.Meter == "" {
			return usageError{"--meter says into which meter's log the files go; --dry-run only tells what they hold"}
		}
		t, done, err := c.target(ctx, p)
		if err != nil {
			return err
		}
		defer done()
		target = t
		if opt.Zone == nil && c.Zone == "" {
			opt.Zone = zoneOf(t.meter.Settings.Zone)
		}
	}
	failed := 0
	for _, file := range c.Files {
		err := c.one(ctx, p, file, opt, mapping, target)
		switch {
		case err == nil:
		case errors.Is(err, context.Canceled), !isFileError(err):
			return err
		default:
			failed++
			c.refuse(p, file, err)
		}
	}
	if failed > 0 {
		if n := len(c.Files); n > 1 {
			fmt.Fprintf(p.stderr, "%d of %d files cannot be read\n", failed, n)
		}
		return exitError{exitFailed}
	}
	return nil
}

func isFileError(err error) bool {
	var e *format.Error
	return errors.As(err, &e)
}

// refuse says why a file cannot be read.
func (c *logImportCmd) refuse(p *program, file string, err error) {
	fmt.Fprintln(p.stderr, "metermanager:", err)
	if c.JSON {
		_ = json.NewEncoder(p.stdout).Encode(unread{file, err.Error()})
	}
}

// one reads a file, and imports it where there is a target.
func (c *logImportCmd) one(ctx context.Context, p *program, file string, opt format.Options, m csvlog.Mapping, target *importTarget) error {
	bar := newProgress(p.stderr)
	opt.Progress = bar.bytes(filepath.Base(file))
	content, err := c.read(ctx, file, opt, m)
	bar.clear()
	if err != nil {
		var e *format.Error
		if errors.As(err, &e) && e.File == filepath.Base(file) {
			e.File = file // as it was named
		}
		return err
	}
	if err := c.adjust(content, m); err != nil {
		return err
	}
	out := imported{Report: content.Report(file)}
	pages, changed := anyfile.Pages(content)
	out.Changed = append([]string{}, changed...)
	if target != nil {
		out.Meter = target.meter.UID
		out.Imported, err = target.store(ctx, pages, file, bar)
		bar.clear()
		if err != nil {
			return err
		}
	}
	if c.JSON {
		if err := json.NewEncoder(p.stdout).Encode(out); err != nil {
			return fmt.Errorf("print the report: %w", err)
		}
		return nil
	}
	return p.importReport(out)
}

// adjust names channels and chooses the side of samples.
func (c *logImportCmd) adjust(content *format.Content, m csvlog.Mapping) error {
	if c.Primary {
		content.ToPrimary()
	} else {
		content.AsRecorded()
	}
	if content.Kind == csvlog.Kind {
		return nil // its mapping has the names
	}
	for _, text := range c.Map {
		name, to, _ := strings.Cut(text, "=")
		n, fits, err := content.Map(name, to)
		if err != nil {
			return usageError{"--map " + text + ": " + strings.TrimPrefix(err.Error(), logdb.ErrInvalid.Error()+": ")}
		}
		if n == 0 {
			content.NotUnderstood = append(content.NotUnderstood, fmt.Sprintf("there is no channel %q to map", name))
		}
		if !fits {
			content.NotUnderstood = append(content.NotUnderstood, fmt.Sprintf("the unit of channel %q is not that of %s: its values were taken as they are", name, to))
		}
	}
	return nil
}

// read finds the format of a file and reads it.
func (c *logImportCmd) read(ctx context.Context, file string, opt format.Options, m csvlog.Mapping) (*format.Content, error) {
	content, err := anyfile.Read(ctx, anyfile.At(file), c.Format, opt, m)
	var e *format.Error
	if errors.As(err, &e) && strings.HasPrefix(e.What, anyfile.NoFormat) {
		e.Do = "Say which one it is with --format"
	}
	return content, err
}

// options reads what the command line says of the files.
func (c *logImportCmd) options() (format.Options, csvlog.Mapping, error) {
	opt := format.Options{Charset: c.Charset, LineHz: c.LineHz}
	m := csvlog.Mapping{Time: c.Time, TimeForm: c.TimeForm, Starts: c.Starts, Log: logdb.LogNo(c.Log)}
	if c.Zone != "" {
		zone, err := time.LoadLocation(c.Zone)
		if err != nil {
			return opt, m, usageError{fmt.Sprintf("--zone %q is no time zone, such as Europe/Berlin", c.Zone)}
		}
		opt.Zone = zone
	}
	if c.LineHz < 0 {
		return opt, m, usageError{"--line-hz: want a frequency in Hz"}
	}
	switch d := []rune(strings.ReplaceAll(c.Delimiter, "tab", "\t")); {
	case len(d) == 1 && !strings.ContainsRune("\"\r\n\uFFFD", d[0]):
		m.Delimiter = d[0]
	case len(d) > 0:
		return opt, m, usageError{fmt.Sprintf("--delimiter %q: want one sign, or tab", c.Delimiter)}
	}
	m.Decimal = map[string]rune{"point": '.', "comma": ','}[c.Decimal]
	m.Header = map[string]csvlog.Header{"yes": csvlog.HeaderYes, "no": csvlog.HeaderNo}[c.Header]
	for _, text := range c.Column {
		column, err := parseColumn(text)
		if err != nil {
			return opt, m, usageError{"--column " + text + ": " + err.Error()}
		}
		m.Columns = append(m.Columns, column)
	}
	for _, text := range c.Map {
		name, key, ok := strings.Cut(text, "=")
		if !ok || name == "" || key == "" {
			return opt, m, usageError{fmt.Sprintf("--map %q: want NAME=KEY", text)}
		}
		if len(c.Column) == 0 {
			m.Others = true
		}
		if k, err := logdb.NormalizeChannel(key); err == nil { // of a recording any name will do
			m.Columns = append(m.Columns, csvlog.Column{Name: name, Key: k})
		}
	}
	return opt, m, nil
}

// parseColumn reads NAME=KEY@UNIT*FACTOR, of which only the name must be there.
func parseColumn(text string) (csvlog.Column, error) {
	var c csvlog.Column
	if rest, factor, ok := cutLast(text, "*"); ok {
		v, err := strconv.ParseFloat(factor, 64)
		if err != nil || v == 0 {
			return c, fmt.Errorf("%q is no factor", factor)
		}
		text, c.Scale = rest, v
	}
	if rest, unit, ok := cutLast(text, "@"); ok {
		text, c.Unit = rest, unit
	}
	if rest, key, ok := cutLast(text, "="); ok {
		k, err := logdb.NormalizeChannel(key)
		if err != nil {
			return c, errors.New(strings.TrimPrefix(err.Error(), logdb.ErrInvalid.Error()+": "))
		}
		text, c.Key = rest, k
	}
	if c.Name = text; text == "" {
		return c, errors.New("want NAME")
	}
	return c, nil
}

func cutLast(s, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}
