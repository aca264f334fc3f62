package model

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"metermanager/logdb/format"
	"metermanager/logdb/format/comtrade"
	"metermanager/logdb/format/csvlog"
	"metermanager/viewer/chart"
	"metermanager/viewer/source"
	"metermanager/viewer/timeline"
)

// Exported is what a view shows, to be written.
type Exported struct {
	Drawing chart.Drawing
	Events  *Events
	Table   *Table
	Wave    *WaveData
	Week    *source.Week
	Page    *chart.Page
}

// errNothing is for exports of what the view does not show.
var errNothing = errors.New("there is nothing to write in this form")

// Copy is the list as it stands, to be read while the window goes on.
func (v *Events) Copy() *Events {
	out := *v
	out.Shown = append([]int(nil), v.Shown...)
	return &out
}

// Size of exported pictures in pixels.
const pictureWidth, pictureHeight = 1600, 900

// Export writes a file by the ending of its name: .csv, .png, .svg, .pdf, .cff, .cfg (with its .dat), .json. Files appear only when they are complete.
func Export(path string, x Exported) error {
	points := func(pixels float64) float64 { return pixels * 72 / 96 }
	ext := strings.ToLower(filepath.Ext(path))
	switch {
	case ext == ".png" && x.Drawing != nil:
		return writeFile(path, func(w io.Writer) error { return chart.PNG(w, x.Drawing, pictureWidth, pictureHeight, chart.Light()) })
	case ext == ".svg" && x.Drawing != nil:
		return writeFile(path, func(w io.Writer) error {
			return chart.SVG(w, x.Drawing, points(pictureWidth), points(pictureHeight), chart.Light())
		})
	case ext == ".pdf" && x.Page != nil:
		return writeFile(path, func(w io.Writer) error { return chart.PagePDF(w, x.Page, chart.Print()) })
	case ext == ".pdf" && x.Drawing != nil:
		return writeFile(path, func(w io.Writer) error {
			return chart.PDF(w, x.Drawing, points(pictureWidth), points(pictureHeight), chart.Print())
		})
	case ext == ".csv" && x.Wave != nil:
		return writeFile(path, x.Wave.csv)
	case ext == ".csv" && x.Table != nil:
		return writeFile(path, x.Table.csv)
	case ext == ".csv" && x.Events != nil:
		return writeFile(path, x.Events.csv)
	case (ext == ".cff" || ext == ".cfg") && x.Wave != nil:
		return x.Wave.comtrade(path)
	case ext == ".json" && x.Week != nil:
		return writeFile(path, func(w io.Writer) error {
			e := json.NewEncoder(w)
			e.SetIndent("", "  ")
			return e.Encode(x.Week)
		})
	}
	return fmt.Errorf("write %s: %w", filepath.Base(path), errNothing)
}

func writeFile(path string, write func(io.Writer) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".export-*")
	if err != nil {
		return fmt.Errorf("write the export: %w", err)
	}
	err = errors.Join(write(f), f.Chmod(0o644), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write the export: %w", err), os.Remove(f.Name()))
	}
	return nil
}

func (v *Events) csv(w io.Writer) error {
	out := csvlog.NewWriter(w, nil)
	out.Head("time", "meter", "log", "event", "details", "duration [s]", "worst [1 = 100 %]", "severity")
	for _, i := range v.Shown {
		e := &v.Set.List[i]
		out.Text(csvlog.Time(e.Time, v.Set.Meters[e.Meter].Zone()), v.Set.Names[e.Meter], timeline.KindName(e.Kind), e.Name, e.Detail,
			csvlog.Value(e.Seconds), csvlog.Value(e.Ratio), timeline.SeverityName(e.Severity))
	}
	return out.Flush()
}

func (t *Table) csv(w io.Writer) error {
	out := csvlog.NewWriter(w, t.Zone)
	out.Head(append([]string{"time"}, t.Head...)...)
	for _, r := range t.Rows {
		out.Row(r.At, r.Values...)
	}
	return out.Flush()
}

// csv writes samples by the ms since the first one, which the heading names.
func (d *WaveData) csv(w io.Writer) error {
	out := csvlog.NewWriter(w, d.Meter.Zone())
	head := []string{"ms after " + csvlog.Time(d.Entry.Time, d.Meter.Zone())}
	for _, c := range d.Entry.Waveform.Channels {
		head = append(head, c.Name)
	}
	out.Head(head...)
	n := 0
	for _, c := range d.Entry.Waveform.Channels {
		n = max(n, len(c.Samples))
	}
	cells := make([]string, len(head))
	for i := range n {
		cells[0] = csvlog.Value(float64(i) * d.Entry.Waveform.SampleIntervalMillis)
		for k, c := range d.Entry.Waveform.Channels {
			cells[k+1] = ""
			if i < len(c.Samples) {
				cells[k+1] = csvlog.Value(c.Samples[i])
			}
		}
		out.Text(cells...)
	}
	return out.Flush()
}

// comtrade writes the recording as a .cff, or as a .cfg with its .dat, which appears first: a .cfg is what others look for.
func (d *WaveData) comtrade(path string) error {
	s := &d.Meter.Settings
	rec := format.RecordingOf(&d.Entry, d.Meter.Zone())
	form := comtrade.Form{Zone: d.Meter.Zone(), Station: d.Meter.Title(), Device: strings.TrimSpace(s.Make + " " + s.Model + " " + s.Serial)}
	if strings.EqualFold(filepath.Ext(path), ".cff") {
		return writeFile(path, func(w io.Writer) error { return comtrade.WriteCFF(w, &rec, form) })
	}
	var cfg, dat strings.Builder
	if err := comtrade.Write(&cfg, &dat, &rec, form); err != nil {
		return fmt.Errorf("write the export: %w", err)
	}
	text := func(s *strings.Builder) func(io.Writer) error {
		return func(w io.Writer) error {
			_, err := io.WriteString(w, s.String())
			return err
		}
	}
	if err := writeFile(strings.TrimSuffix(path, filepath.Ext(path))+".dat", text(&dat)); err != nil {
		return err
	}
	return writeFile(path, text(&cfg))
}
