package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"metermanager/logdb"
	"metermanager/logdb/format/csvlog"
	"metermanager/rpc/api"
	"metermanager/rpc/client"
	"metermanager/rpc/permission"
)

// exportRows is how many rows one request of an export asks for.
const exportRows = 50_000

// logExportCmd writes records to a file.
type logExportCmd struct {
	remote
	logRange
	Format    string `enum:"csv,json,greenbutton,comtrade" default:"csv" help:"csv, json, greenbutton or comtrade (default: ${default})."`
	Out       string `short:"o" type:"path" placeholder:"FILE" help:"File to write (default: standard output)."`
	Recording string `placeholder:"ID" help:"Waveform: the samples of this recording instead of the list."`
	Revision  int    `enum:"1999,2013" default:"2013" help:"COMTRADE: 1999 or 2013 (default: ${default})."`
	Samples   string `enum:"auto,ascii,binary,binary32,float32" default:"auto" help:"COMTRADE: ascii, binary, binary32 or float32 (auto: float32, for 1999 binary)."`
}

// Help shows an example.
func (logExportCmd) Help() string {
	return `Example: metermanager log export main-incomer historical --from 2026-01-01 --out 2026.csv

Without --from: everything. CSV: UTF-8, commas, decimal points, times as ISO 8601 with the offset of the meter's zone; an absent value is a blank cell. JSON: the shape of the web API. greenbutton: the interval energy of the historical log as a Green Button feed.

Example: metermanager log export main-incomer waveform --recording 1@394113df910cc0c1d796d7f3427efa0f:0 --format comtrade --out sag.cff

comtrade: one recording, as a .cff or as a .cfg with its .dat, by the name of --out.`
}

// Run writes the records. A file appears only when it is complete.
func (c *logExportCmd) Run(ctx context.Context, p *program) error {
	service, done, err := c.connect(ctx, p, permission.LogsRead)
	if err != nil {
		return err
	}
	defer done()
	q, err := c.resolve(ctx, service, time.Now(), 0)
	if err != nil {
		return err
	}
	if c.Format == "comtrade" {
		return c.exportComtrade(ctx, p, service, q)
	}
	if c.Out == "" {
		out := bufio.NewWriter(p.stdout)
		_, err := c.write(ctx, p, service, q, out)
		return errors.Join(err, out.Flush())
	}
	f, err := os.CreateTemp(dirOf(c.Out), ".export-*")
	if err != nil {
		return fmt.Errorf("write the export: %w", err)
	}
	out := bufio.NewWriter(f)
	n, err := c.write(ctx, p, service, q, out)
	err = errors.Join(err, out.Flush(), f.Chmod(0o644), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), c.Out)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	fmt.Fprintf(p.stderr, "%s written to %s\n", count(int64(n), "record"), c.Out)
	return nil
}

func dirOf(path string) string {
	if i := strings.LastIndexAny(path, `/\`); i >= 0 {
		return path[:i+1]
	}
	return "."
}

func (c *logExportCmd) write(ctx context.Context, p *program, service *client.Client, q query, w io.Writer) (int, error) {
	switch {
	case c.Format == "greenbutton":
		if err := c.greenButtonFits(q); err != nil {
			return 0, err
		}
		return c.writeGreenButton(ctx, service, q, w, p.stderr)
	case c.Recording != "":
		return c.writeRecording(ctx, service, q, w)
	case q.kind == logdb.KindHistorical && !c.Gaps:
		return c.writeHistory(ctx, p, service, q, w)
	}
	return c.writeEvents(ctx, p, service, q, w)
}

func (c *logExportCmd) writeHistory(ctx context.Context, p *program, service *client.Client, q query, w io.Writer) (int, error) {
	sheet := csvlog.NewWriter(w, q.zone)
	bar := newProgress(p.stderr)
	defer bar.clear()
	ask := q.history()
	if !ask.Aggregated() && ask.Limit == 0 {
		ask.Limit = exportRows
	}
	n := 0
	var whole api.History
	for {
		answer, err := service.History(ctx, q.meter.UID, ask)
		if err != nil {
			return n, err
		}
		if c.Format == "json" {
			joinHistory(&whole, answer)
		} else {
			if n == 0 && len(answer.Columns) > 0 {
				sheet.Text(historyHeads(answer.Columns)...)
				bar.clear()
				sayUnverified(p.stderr, answer.Columns)
			}
			historyLines(sheet, answer)
		}
		n += len(answer.Times)
		bar.say("%s written", count(int64(n), "record"))
		if answer.Next == "" || c.Limit > 0 {
			break
		}
		ask.Cursor = answer.Next
	}
	if c.Format == "json" {
		return n, writeHistoryJSON(w, whole)
	}
	return n, sheet.Flush()
}

func historyHeads(columns []api.SeriesColumn) []string {
	heads := []string{"time"}
	for _, c := range columns {
		head := string(c.Key)
		if c.Agg != "" {
			head += " " + c.Agg
		}
		if inSeveralLogs(c, columns) {
			head += fmt.Sprintf(" log %d", c.Log)
		}
		if c.Unit != "" {
			head += " [" + c.Unit + "]"
		}
		heads = append(heads, head)
	}
	return heads
}

func historyLines(sheet *csvlog.Writer, a api.History) {
	row := make([]float64, len(a.Columns))
	for i, at := range a.Times {
		for c := range row {
			row[c] = a.Values[c][i]
		}
		sheet.Row(at, row...)
	}
}

func (c *logExportCmd) writeEvents(ctx context.Context, p *program, service *client.Client, q query, w io.Writer) (int, error) {
	sheet := csvlog.NewWriter(w, q.zone)
	bar := newProgress(p.stderr)
	defer bar.clear()
	ask := q.events()
	var whole api.Events
	n := 0
	for {
		answer, err := service.Events(ctx, q.meter.UID, ask)
		if err != nil {
			return n, err
		}
		if n == 0 && c.Format == "csv" {
			sheet.Text(eventColumns(q.kind, q.Gaps)...)
		}
		for _, e := range answer.Events {
			if c.Format == "json" {
				break
			}
			sheet.Text(eventRecord(q.kind, e, q.Gaps, q.zone)...)
		}
		n += len(answer.Events)
		bar.say("%s written", count(int64(n), "record"))
		answer.Events = append(whole.Events, answer.Events...)
		if whole = answer; answer.Next == "" || c.Limit > 0 {
			break
		}
		ask.Cursor = answer.Next
		if c.Format == "csv" {
			whole.Events = nil
		}
	}
	if c.Format == "json" {
		whole.Next = ""
		_, err := w.Write(api.AppendEvents(nil, &whole))
		return n, err
	}
	return n, sheet.Flush()
}

func eventColumns(kind logdb.Kind, gaps bool) []string {
	switch {
	case gaps:
		return []string{"from", "to", "cause", "detail"}
	case kind == logdb.KindSystem:
		return []string{"time", "event_type", "code", "description"}
	case kind == logdb.KindWaveform:
		return []string{"start_time", "end_time", "trigger_time", "freq", "sample_interval_ms", "waveform_trigger", "recording"}
	case kind == logdb.KindLimit:
		return []string{"start_time", "duration", "channel", "limit_id", "exception_type", "except_value", "except_percent", "limit_threshold"}
	}
	return []string{"start_time", "duration", "channel", "exception_type", "except_value", "except_percent", "pq_threshold"}
}

func eventRecord(kind logdb.Kind, e api.Event, gaps bool, zone *time.Location) []string {
	at := csvlog.Time(e.Entry.Time, zone)
	switch n := e.Entry; {
	case gaps && n.Gap != nil:
		return []string{csvlog.Time(n.Gap.From, zone), csvlog.Time(n.Gap.To, zone), string(n.Gap.Cause), n.Gap.Detail}
	case n.System != nil:
		return []string{at, strconv.FormatInt(int64(n.System.Type), 10), strconv.FormatInt(n.System.Code, 10), n.System.Description}
	case n.Waveform != nil:
		v := n.Waveform
		return []string{at, csvlog.Time(v.End, zone), csvlog.Time(v.TriggerTime, zone), csvlog.Value(v.FrequencyHz), csvlog.Value(v.SampleIntervalMillis),
			strings.Join(v.Triggers, " "), e.ID.String()}
	case n.Excursion != nil:
		x := n.Excursion
		cells := []string{at, csvlog.Value(x.DurationSeconds), string(x.Channel)}
		if kind == logdb.KindLimit {
			cells = append(cells, strconv.FormatInt(x.LimitID, 10))
		}
		return append(cells, strconv.FormatInt(x.Type, 10), csvlog.Value(x.Worst), csvlog.Value(x.WorstPercent), csvlog.Value(x.Threshold))
	}
	return []string{at}
}

// recording asks for the recording that is named.
func (c *logExportCmd) recording(ctx context.Context, service *client.Client, q query) (logdb.Entry, error) {
	if q.kind != logdb.KindWaveform {
		return logdb.Entry{}, usageError{"--recording goes with the waveform log"}
	}
	id, err := api.ParseRecordingID(c.Recording)
	if err != nil {
		return logdb.Entry{}, err
	}
	entry, err := service.Recording(ctx, q.meter.UID, id)
	if err == nil && entry.Waveform == nil {
		err = fmt.Errorf("the service's answer holds no recording")
	}
	return entry, err
}

// writeRecording writes one recording: a line per sample, its time in ms after the start.
func (c *logExportCmd) writeRecording(ctx context.Context, service *client.Client, q query, w io.Writer) (int, error) {
	entry, err := c.recording(ctx, service, q)
	if err != nil {
		return 0, err
	}
	v := entry.Waveform
	if c.Format == "json" {
		page := logdb.Page{Meter: q.meter.UID, Kind: logdb.KindWaveform, Source: "export"}
		entry.Position = 0
		page.Entries = []logdb.Entry{entry}
		_, err := w.Write(append(api.AppendPage(nil, &page, api.DialectJSON), '\n'))
		return 1, err
	}
	sheet := csvlog.NewWriter(w, q.zone)
	heads := []string{"time", "ms"}
	n := len(v.Digital)
	for _, ch := range v.Channels {
		heads = append(heads, ch.Name)
		n = max(n, len(ch.Samples))
	}
	if v.Digital != nil {
		heads = append(heads, "inputs")
	}
	sheet.Text(heads...)
	start := csvlog.Time(entry.Time, q.zone)
	for i := range n {
		cells := []string{start, csvlog.Value(float64(i) * v.SampleIntervalMillis)}
		for _, ch := range v.Channels {
			cells = append(cells, sampleAt(ch.Samples, i))
		}
		if v.Digital != nil && i < len(v.Digital) {
			cells = append(cells, fmt.Sprintf("%08b", v.Digital[i]))
		}
		sheet.Text(cells...)
	}
	return n, sheet.Flush()
}

func sampleAt(samples []float64, i int) string {
	if i >= len(samples) {
		return ""
	}
	return csvlog.Value(samples[i])
}

// joinHistory appends a further part of the same answer.
func joinHistory(whole *api.History, part api.History) {
	if whole.Columns == nil {
		*whole = part
		return
	}
	whole.Times = append(whole.Times, part.Times...)
	for c := range whole.Values {
		if c < len(part.Values) {
			whole.Values[c] = append(whole.Values[c], part.Values[c]...)
		}
	}
	whole.Limits, whole.Next = part.Limits, part.Next
}

// writeHistoryJSON writes an answer in the shape of the web API.
func writeHistoryJSON(out io.Writer, a api.History) error {
	w := api.NewSeriesWriter(out, api.SeriesHead{Meter: a.Meter, Columns: a.Columns, Interval: a.Interval, Zone: a.Zone})
	if err := w.Columns(a.Times, a.Values); err != nil {
		return err
	}
	if err := w.Close(api.SeriesTail{Limits: a.Limits, Corrected: a.Corrected, Next: a.Next}); err != nil {
		return err
	}
	return nil
}
