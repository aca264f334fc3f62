package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"metermanager/logdb"
	"metermanager/rpc/api"
	"metermanager/rpc/client"
	"metermanager/rpc/permission"
	"metermanager/viewer/chart"
)

// logChartCmd draws a log of a running service.
type logChartCmd struct {
	remote
	Meter     string   `arg:"" help:"Name, serial or UID."`
	Chart     string   `arg:"" optional:"" enum:"trend,bars,heatmap,events,tolerance,waveform,phasors,harmonics" default:"trend" help:"trend, bars, heatmap, events, tolerance, waveform, phasors or harmonics (default: ${default})."`
	Out       string   `short:"o" required:"" type:"path" placeholder:"FILE" help:"File to write: .png, .svg or .pdf."`
	From      string   `placeholder:"TIME" help:"First time, in the meter's zone unless it says another, or a span back such as 7d (default: 7d)."`
	To        string   `placeholder:"TIME" help:"First time that is left out (default: now)."`
	Channels  []string `placeholder:"KEY" help:"trend, bars, heatmap: these channels; one after + gets the right axis (default: the voltages; the energy; the power)."`
	Recording string   `placeholder:"ID" help:"waveform, phasors, harmonics: this recording (default: the newest)."`
	Interval  string   `placeholder:"SPAN" help:"bars: 15m, 1h, 1d, 1mo (default: what fits)."`
	Size      string   `default:"1600x900" placeholder:"WxH" help:"Pixels of a PNG; 96 of them an inch of SVG and PDF (default: ${default})."`
	Style     string   `enum:"light,dark,print" default:"light" help:"light, dark or print (default: ${default}; of a PDF: print)."`
}

// Help shows an example.
func (logChartCmd) Help() string {
	return `Examples: metermanager log chart main-incomer -o week.png
metermanager log chart main-incomer trend --channels readings.power.watts,+readings.frequency --from 1d -o power.svg
metermanager log chart main-incomer waveform -o sag.pdf`
}

// picture is one chart with its source while it is being made.
type picture struct {
	*logChartCmd
	ctx      context.Context // of the command
	service  *client.Client
	meter    api.Meter
	zone     *time.Location
	from, to logdb.Millis
}

// Run draws the picture. The file appears only when it is complete.
func (c *logChartCmd) Run(ctx context.Context, p *program) error {
	width, height := 0, 0
	if n, err := fmt.Sscanf(c.Size, "%dx%d", &width, &height); n != 2 || err != nil {
		return usageError{fmt.Sprintf("--size %q: want 1600x900", c.Size)}
	}
	if _, err := c.writer(nil, 1600, 900); err != nil {
		return err
	}
	service, done, err := c.connect(ctx, p, permission.LogsRead)
	if err != nil {
		return err
	}
	defer done()
	x := &picture{logChartCmd: c, ctx: ctx, service: service}
	if x.meter, err = findMeter(ctx, service, c.Meter); err != nil {
		return err
	}
	x.zone = zoneOf(x.meter.Settings.Zone)
	now := time.Now()
	if x.from, err = parseWhen(cmp.Or(c.From, "7d"), x.zone, now); err != nil {
		return err
	}
	if x.to, err = parseWhen(cmp.Or(c.To, "now"), x.zone, now); err != nil {
		return err
	}
	if x.to <= x.from {
		return usageError{"--to lies before --from"}
	}
	d, err := x.drawing(width)
	if err != nil {
		return err
	}
	return c.save(d, width, height)
}

func (x *picture) drawing(width int) (chart.Drawing, error) {
	switch x.Chart {
	case "bars":
		return x.bars()
	case "heatmap":
		return x.heatmap()
	case "events":
		return x.timeline()
	case "tolerance":
		return x.tolerance()
	case "waveform", "phasors", "harmonics":
		return x.recording()
	}
	return x.trend(width)
}

// writer chooses the format by the ending of the file's name.
func (c *logChartCmd) writer(d chart.Drawing, width, height int) (func(io.Writer) error, error) {
	style := map[string]func() chart.Style{"light": chart.Light, "dark": chart.Dark, "print": chart.Print}[c.Style]()
	points := func(pixels int) float64 { return float64(pixels) * 72 / 96 }
	switch strings.ToLower(filepath.Ext(c.Out)) {
	case ".png":
		return func(w io.Writer) error { return chart.PNG(w, d, width, height, style) }, nil
	case ".svg":
		return func(w io.Writer) error { return chart.SVG(w, d, points(width), points(height), style) }, nil
	case ".pdf":
		if c.Style == "light" {
			style = chart.Print()
		}
		return func(w io.Writer) error { return chart.PDF(w, d, points(width), points(height), style) }, nil
	}
	return nil, usageError{fmt.Sprintf("--out %s: the name must end with .png, .svg or .pdf", filepath.Base(c.Out))}
}

func (c *logChartCmd) save(d chart.Drawing, width, height int) error {
	write, err := c.writer(d, width, height)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(dirOf(c.Out), ".chart-*")
	if err != nil {
		return fmt.Errorf("write the chart: %w", err)
	}
	err = errors.Join(write(f), f.Chmod(0o644), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), c.Out)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
