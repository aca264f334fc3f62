package main

import (
	"bufio"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
	"time"

	"metermanager/logdb"
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
	Format    string `enum:"csv,json,greenbutton" default:"csv" help:"csv, json or greenbutton (default: ${default})."`
	Out       string `short:"o" type:"path" placeholder:"FILE" help:"File to write (default: standard output)."`
	Recording string `placeholder:"ID" help:"Waveform: the samples of this recording instead of the list."`
}

// Help shows an example.
func (logExportCmd) Help() string {
	return `Example: metermanager log export main-incomer historical --from 2026-01-01 --out 2026.csv

Without --from: everything. CSV: UTF-8, commas, decimal points, times as ISO 8601 with the offset of the meter's zone; an absent value is a blank cell. JSON: the shape of the web API. greenbutton: the interval energy of the historical log as a Green Button feed.`
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
		if q.kind != logdb.KindWaveform {
			return 0, usageError{"--recording goes with the waveform log"}
		}
		return c.writeRecording(ctx, service, q, w)
	case q.kind == logdb.KindHistorical && !c.Gaps:
		return c.writeHistory(ctx, service, q, w)
	}
	return c.writeEvents(ctx, service, q, w)
}

func (c *logExportCmd) writeHistory(ctx context.Context, service *client.Client, q query, w io.Writer) (int, error) {
	sheet := csv.NewWriter(w)
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
				if err := sheet.Write(historyHeads(answer.Columns)); err != nil {
					return n, fmt.Errorf("write the export: %w", err)
				}
			}
			if err := historyLines(sheet, answer, q.zone); err != nil {
				return n, err
			}
		}
		n += len(answer.Times)
		if answer.Next == "" || c.Limit > 0 {
			break
		}
		ask.Cursor = answer.Next
	}
	if c.Format == "json" {
		return n, writeHistoryJSON(w, whole)
	}
	sheet.Flush()
	return n, sheet.Error()
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

func historyLines(sheet *csv.Writer, a api.History, zone *time.Location) error {
	cells := make([]string, 1+len(a.Columns))
	for i, at := range a.Times {
		cells[0] = isoTime(at, zone)
		for c := range a.Columns {
			cells[1+c] = exactValue(a.Values[c][i])
		}
		if err := sheet.Write(cells); err != nil {
			return fmt.Errorf("write the export: %w", err)
		}
	}
	return nil
}

// exactValue prints all digits that a value needs to be read back unchanged.
func exactValue(v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return ""
	}
	return plain(v)
}

func (c *logExportCmd) writeEvents(ctx context.Context, service *client.Client, q query, w io.Writer) (int, error) {
	sheet := csv.NewWriter(w)
	ask := q.events()
	var whole api.Events
	n := 0
	for {
		answer, err := service.Events(ctx, q.meter.UID, ask)
		if err != nil {
			return n, err
		}
		if n == 0 && c.Format == "csv" {
			if err := sheet.Write(eventColumns(q.kind, q.Gaps)); err != nil {
				return n, fmt.Errorf("write the export: %w", err)
			}
		}
		for _, e := range answer.Events {
			if c.Format == "json" {
				break
			}
			if err := sheet.Write(eventRecord(q.kind, e, q.Gaps, q.zone)); err != nil {
				return n, fmt.Errorf("write the export: %w", err)
			}
		}
		n += len(answer.Events)
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
	sheet.Flush()
	return n, sheet.Error()
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
	at := isoTime(e.Entry.Time, zone)
	switch n := e.Entry; {
	case gaps && n.Gap != nil:
		return []string{isoTime(n.Gap.From, zone), isoTime(n.Gap.To, zone), string(n.Gap.Cause), n.Gap.Detail}
	case n.System != nil:
		return []string{at, strconv.FormatInt(int64(n.System.Type), 10), strconv.FormatInt(n.System.Code, 10), n.System.Description}
	case n.Waveform != nil:
		v := n.Waveform
		return []string{at, isoTime(v.End, zone), isoTime(v.TriggerTime, zone), exactValue(v.FrequencyHz), exactValue(v.SampleIntervalMillis),
			strings.Join(v.Triggers, " "), e.ID.String()}
	case n.Excursion != nil:
		x := n.Excursion
		cells := []string{at, exactValue(x.DurationSeconds), string(x.Channel)}
		if kind == logdb.KindLimit {
			cells = append(cells, strconv.FormatInt(x.LimitID, 10))
		}
		return append(cells, strconv.FormatInt(x.Type, 10), exactValue(x.Worst), exactValue(x.WorstPercent), exactValue(x.Threshold))
	}
	return []string{at}
}

// writeRecording writes one recording: a line per sample, its time in ms after the start.
func (c *logExportCmd) writeRecording(ctx context.Context, service *client.Client, q query, w io.Writer) (int, error) {
	id, err := api.ParseRecordingID(c.Recording)
	if err != nil {
		return 0, err
	}
	entry, err := service.Recording(ctx, q.meter.UID, id)
	if err != nil {
		return 0, err
	}
	v := entry.Waveform
	if v == nil {
		return 0, fmt.Errorf("the service's answer holds no recording")
	}
	if c.Format == "json" {
		page := logdb.Page{Meter: q.meter.UID, Kind: logdb.KindWaveform, Source: "export"}
		entry.Position = 0
		page.Entries = []logdb.Entry{entry}
		_, err := w.Write(append(api.AppendPage(nil, &page, api.DialectJSON), '\n'))
		return 1, err
	}
	sheet := csv.NewWriter(w)
	heads := []string{"time", "ms"}
	n := len(v.Digital)
	for _, ch := range v.Channels {
		heads = append(heads, ch.Name)
		n = max(n, len(ch.Samples))
	}
	if v.Digital != nil {
		heads = append(heads, "inputs")
	}
	if err := sheet.Write(heads); err != nil {
		return 0, fmt.Errorf("write the export: %w", err)
	}
	start := isoTime(entry.Time, q.zone)
	for i := range n {
		cells := []string{start, exactValue(float64(i) * v.SampleIntervalMillis)}
		for _, ch := range v.Channels {
			cells = append(cells, sampleAt(ch.Samples, i))
		}
		if v.Digital != nil && i < len(v.Digital) {
			cells = append(cells, fmt.Sprintf("%08b", v.Digital[i]))
		}
		if err := sheet.Write(cells); err != nil {
			return i, fmt.Errorf("write the export: %w", err)
		}
	}
	sheet.Flush()
	return n, sheet.Error()
}

func sampleAt(samples []float64, i int) string {
	if i >= len(samples) {
		return ""
	}
	return exactValue(samples[i])
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
	row := make([]float64, len(a.Columns))
	for i, at := range a.Times {
		for c := range row {
			row[c] = a.Values[c][i]
		}
		if err := w.Row(at, row); err != nil {
			return err
		}
	}
	if err := w.Close(api.SeriesTail{Limits: a.Limits, Next: a.Next}); err != nil {
		return err
	}
	return nil
}
