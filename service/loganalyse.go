package main

import (
	"context"
	"fmt"
	"maps"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"metermanager/logdb"
	"metermanager/logdb/format"
	"metermanager/logdb/format/csvlog"
	"metermanager/logdb/pq"
	"metermanager/rpc/api"
	"metermanager/rpc/client"
	"metermanager/rpc/permission"
)

// logAnalyseCmd tells what a recording shows.
type logAnalyseCmd struct {
	remote
	JSON      bool    `name:"json" help:"Print the result as JSON."`
	Meter     string  `arg:"" name:"meter-or-file" help:"Name, serial or UID of a meter; or a file (COMTRADE by its .cfg or .cff, PQDIF, CSV), which needs no service."`
	Recording string  `arg:"" optional:"" help:"Id of the recording, as log query prints it; of a file its number, from 1. The newest, or all of a file, without it."`
	Nominal   float64 `placeholder:"V" help:"A file: the declared voltage, line to neutral. Without it ratios refer to the steady part."`
}

// Help shows an example.
func (logAnalyseCmd) Help() string {
	return `Examples: metermanager log analyse main-incomer
metermanager log analyse fault.cfg --nominal 63500

Half-cycle RMS, phasors, harmonics, sags, swells and interruptions with their categories, and likely causes, each with the numbers that speak for and against it. Causes are rules of ours and prove nothing.`
}

// Run prints the analysis.
func (c *logAnalyseCmd) Run(ctx context.Context, p *program) error {
	if info, err := os.Stat(c.Meter); err == nil && info.Mode().IsRegular() {
		return c.file(ctx, p)
	}
	service, m, done, err := c.connectMeter(ctx, p, permission.LogsRead, c.Meter)
	if err != nil {
		return err
	}
	defer done()
	id, err := recordingOf(ctx, service, m, c.Recording)
	if err != nil {
		return err
	}
	a, err := service.Analysis(ctx, m.UID, id)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(p.stdout, a)
	}
	fmt.Fprintf(p.stdout, "%s, recording %s of %s\n", m.Settings.Name, a.Recording, clock(a.Start, zoneOf(m.Settings.Zone)))
	return p.showAnalysis(&a)
}

// file analyses the recordings of a file.
func (c *logAnalyseCmd) file(ctx context.Context, p *program) error {
	content, err := (&logImportCmd{Format: "auto"}).read(ctx, c.Meter, format.Options{}, csvlog.Mapping{})
	if err != nil {
		return err
	}
	entries, said := content.Entries(logdb.KindWaveform)
	first, last := 0, len(entries)
	if c.Recording != "" {
		n, err := strconv.Atoi(c.Recording)
		if err != nil || n < 1 || n > len(entries) {
			return usageError{fmt.Sprintf("recording %q: the file holds %s", c.Recording, count(int64(len(entries)), "recording"))}
		}
		first, last = n-1, n
	}
	if len(entries) == 0 {
		return usageError{c.Meter + " holds no recordings"}
	}
	settings := content.Settings
	if c.Nominal > 0 {
		settings.NominalVolts = c.Nominal
	}
	documents := []api.RecordingAnalysis{}
	for i := first; i < last; i++ {
		a, err := pq.Analyse(pq.FromWaveform(entries[i].Waveform, settings), pq.Options{})
		if err != nil {
			if last-first == 1 {
				return fmt.Errorf("%s: %w", c.Meter, err)
			}
			said = append(said, fmt.Sprintf("recording %d: %v", i+1, err))
			continue
		}
		d := api.AnalysisDocument(a)
		d.Start = entries[i].Time
		d.Recording = strconv.Itoa(i + 1)
		documents = append(documents, d)
	}
	if c.JSON {
		return printJSON(p.stdout, map[string]any{"file": c.Meter, "recordings": documents, "notes": append([]string{}, said...)})
	}
	for i := range documents {
		if i > 0 {
			fmt.Fprintln(p.stdout)
		}
		fmt.Fprintf(p.stdout, "%s %s, recording %s of %s\n", content.Station, content.Device, documents[i].Recording, clock(documents[i].Start, time.UTC))
		if err := p.showAnalysis(&documents[i]); err != nil {
			return err
		}
	}
	for _, text := range said {
		fmt.Fprintln(p.stdout, "! "+text)
	}
	return nil
}

// recordingOf reads an id, or looks for the newest recording.
func recordingOf(ctx context.Context, service *client.Client, m api.Meter, text string) (api.RecordingID, error) {
	if text != "" {
		return api.ParseRecordingID(text)
	}
	var newest api.RecordingID
	q := api.EventsQuery{Kind: logdb.KindWaveform}
	for {
		list, err := service.Events(ctx, m.UID, q)
		if err != nil {
			return newest, err
		}
		if n := len(list.Events); n > 0 {
			newest = list.Events[n-1].ID
		}
		if q.Cursor = list.Next; q.Cursor == "" {
			break
		}
	}
	if newest.Position == 0 {
		return newest, usageError{m.Settings.Name + " has no recordings"}
	}
	return newest, nil
}

// showAnalysis prints sentences first, then the figures.
func (p *program) showAnalysis(a *api.RecordingAnalysis) error {
	measured := "measured"
	if !a.HzMeasured {
		measured = "nominal"
	}
	fmt.Fprintf(p.stdout, "%.4g s at %.3f Hz (%s); steady figures are of %d cycles from %.3f s on\n\n", a.Seconds, float64(a.Hz), measured, a.SteadyCycles, a.SteadyFrom)
	for _, s := range a.Summary {
		fmt.Fprintln(p.stdout, s)
	}
	fmt.Fprintln(p.stdout)
	if err := p.signalTable(a.Signals); err != nil {
		return err
	}
	if err := p.phasorTable(a); err != nil {
		return err
	}
	for i := range a.Found {
		f := &a.Found[i]
		fmt.Fprintf(p.stdout, "\n%s on %s, %.4f to %.4f s: %s %%, %s\n", f.Kind, strings.Join(f.Phases, ", "), f.From, f.To, formatValue(round(float64(f.Worst)*100, 1)), f.Category)
		for _, x := range []struct {
			name string
			v    api.Value
		}{{"point on wave", f.PointOnWave}, {"phase jump", f.PhaseJump}} {
			if !math.IsNaN(float64(x.v)) {
				fmt.Fprintf(p.stdout, "  %s %s°\n", x.name, formatValue(round(float64(x.v), 1)))
			}
		}
		if f.DipType != "" {
			fmt.Fprintf(p.stdout, "  type %s (Bollen)\n", f.DipType)
		}
		p.causeList(f.Causes)
	}
	if len(a.Causes) > 0 {
		fmt.Fprintln(p.stdout)
		p.causeList(a.Causes)
	}
	for _, n := range a.Notes {
		fmt.Fprintln(p.stdout, "! "+n)
	}
	return nil
}

func round(v float64, digits int) float64 {
	f := math.Pow10(digits)
	return math.Round(v*f) / f
}

// percentText prints a ratio as percent; blank when it is not known.
func percentText(v api.Value, digits int) string {
	if math.IsNaN(float64(v)) {
		return ""
	}
	return fmt.Sprintf("%.*f %%", digits, 100*float64(v))
}

// short prints four significant digits.
func short(v api.Value) string {
	if math.IsNaN(float64(v)) {
		return ""
	}
	return fmt.Sprintf("%.4g", float64(v))
}

func (p *program) signalTable(list []api.SignalAnalysis) error {
	t := newTable("Signal", "Phase", ">RMS", ">Lowest", ">Highest", ">Peak", "Unit", ">Crest", ">THD", ">K")
	left := 0
	for i := range list {
		s := &list[i]
		if s.Quantity == "other" {
			left++
			continue
		}
		t.add(s.Name, s.Phase, short(s.SteadyRMS), short(s.LowRMS), short(s.HighRMS), short(s.Peak), s.Unit, short(s.Crest), percentText(s.THD, 2), short(s.KFactor))
	}
	if err := t.write(p.stdout); err != nil {
		return err
	}
	if left > 0 {
		fmt.Fprintf(p.stdout, "%s neither a voltage nor a current\n", count(int64(left), "more signal")+map[bool]string{true: " is", false: " are"}[left == 1])
	}
	return nil
}

func (p *program) phasorTable(a *api.RecordingAnalysis) error {
	if len(a.Phasors) == 0 {
		return nil
	}
	fmt.Fprintln(p.stdout)
	t := newTable("Phasor", ">RMS", ">Angle")
	for _, x := range a.Phasors {
		angle := ""
		if !math.IsNaN(float64(x.Degrees)) {
			angle = fmt.Sprintf("%.1f°", float64(x.Degrees))
		}
		t.add(x.Name, short(x.RMS), angle)
	}
	if err := t.write(p.stdout); err != nil {
		return err
	}
	var parts []string
	for _, x := range []struct{ name, text string }{
		{"negative sequence ", percentText(a.Negative, 2)}, {"zero sequence ", percentText(a.Zero, 2)}, {"power factor ", short(a.PowerFactor)},
	} {
		if x.text != "" {
			parts = append(parts, x.name+x.text)
		}
	}
	if len(parts) > 0 {
		fmt.Fprintln(p.stdout, strings.Join(parts, ", "))
	}
	return nil
}

func (p *program) causeList(list []api.CauseAnalysis) {
	for _, c := range list {
		fmt.Fprintf(p.stdout, "  %s (%.0f %%)\n", c.Name, 100*c.Confidence)
		for _, e := range c.Evidence {
			sign := "-"
			if e.Holds {
				sign = "+"
			} else if !e.Known {
				sign = "?"
			}
			fmt.Fprintf(p.stdout, "    %s %s\n", sign, e.Text)
		}
	}
}

// logWeekCmd holds a week against EN 50160.
type logWeekCmd struct {
	remote
	JSON  bool   `name:"json" help:"Print the result as JSON."`
	Meter string `arg:"" help:"Name, serial or UID."`
	Week  string `arg:"" optional:"" help:"ISO week, 2026-W10, or the date of its first day; the last whole week without it."`
	Rules string `enum:"lv,mv,lv-island" default:"lv" help:"lv, mv or lv-island (default: ${default})."`
}

// Help shows an example.
func (logWeekCmd) Help() string {
	return `Example: metermanager log en50160 main-incomer 2026-W10

What a meter does not measure is said to be not measured, and never passes.`
}

// Run prints the evaluation.
func (c *logWeekCmd) Run(ctx context.Context, p *program) error {
	service, m, done, err := c.connectMeter(ctx, p, permission.LogsRead, c.Meter)
	if err != nil {
		return err
	}
	defer done()
	w, err := service.EN50160(ctx, m.UID, c.Week, c.Rules)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(p.stdout, w)
	}
	zone := zoneOf(w.Zone)
	fmt.Fprintf(p.stdout, "%s, %s to %s\n%s; method after IEC 61000-4-30 as far as the logs allow\n\n", m.Settings.Name, clock(w.From, zone), clock(w.To, zone), w.Rules)
	t := newTable("Item", "Result", ">Intervals", ">Flagged", ">Outside", "Limit", "Note")
	for i := range w.Items {
		it := &w.Items[i]
		intervals, flagged, outside := "", "", ""
		if it.Expected > 0 {
			intervals = fmt.Sprintf("%d of %d", it.Valid, it.Expected)
			flagged, outside = fmt.Sprint(it.Flagged), fmt.Sprint(it.Outside)
		}
		t.add(it.Name, it.Verdict.String(), intervals, flagged, outside, it.Limit, it.Note)
	}
	if err := t.write(p.stdout); err != nil {
		return err
	}
	return p.dipTable(&w)
}

func (p *program) dipTable(w *api.WeekEvaluation) error {
	if w.Dips == nil {
		return nil
	}
	fmt.Fprintln(p.stdout)
	t := newTable("Residual voltage", ">to 0.2 s", ">to 0.5 s", ">to 1 s", ">to 5 s", ">to 60 s")
	for i, name := range []string{"80 to 90 %", "70 to 80 %", "40 to 70 %", "5 to 40 %", "below 5 %"} {
		cells := []string{name}
		for _, n := range w.Dips[i] {
			cells = append(cells, fmt.Sprint(n))
		}
		t.add(cells...)
	}
	if err := t.write(p.stdout); err != nil {
		return err
	}
	fmt.Fprintf(p.stdout, "%s of up to 3 minutes, %d longer\n", count(int64(w.ShortInterruptions), "interruption"), w.LongInterruptions)
	return nil
}

// zoneOfAll is the zone that all the meters share (without any named: all there are); UTC when they differ.
func zoneOfAll(ctx context.Context, service *client.Client, named []logdb.MeterUID) (*time.Location, error) {
	meters, err := service.Meters(ctx)
	if err != nil {
		return nil, err
	}
	var zone string
	for i, m := range meters {
		if len(named) > 0 && !slices.Contains(named, m.UID) {
			continue
		}
		if i > 0 && zone != "" && m.Settings.Zone != zone {
			return time.UTC, nil
		}
		zone = m.Settings.Zone
	}
	return zoneOf(zone), nil
}

// logGroupsCmd joins the events of several meters.
type logGroupsCmd struct {
	remote
	JSON       bool             `name:"json" help:"Print the result as JSON."`
	Meters     []string         `arg:"" optional:"" help:"Names, serials or UIDs; all meters without it."`
	From       string           `default:"-7d" placeholder:"TIME" help:"First time (default: ${default})."`
	To         string           `default:"now" placeholder:"TIME" help:"First time that is left out (default: ${default})."`
	Within     time.Duration    `default:"100ms" help:"Events further apart are not joined (default: ${default})."`
	ClockError time.Duration    `default:"1s" help:"How far every clock may be off (default: ${default})."`
	Ahead      map[string]int64 `placeholder:"METER=MS" help:"How far a meter's clock is known to be ahead, in ms."`
}

// Help shows an example.
func (logGroupsCmd) Help() string {
	return "Example: metermanager log groups --from -2d --clock-error 200ms --ahead feeder-2=2000"
}

// Run prints the groups.
func (c *logGroupsCmd) Run(ctx context.Context, p *program) error {
	service, done, err := c.connect(ctx, p, permission.LogsRead)
	if err != nil {
		return err
	}
	defer done()
	q := api.GroupsQuery{WithinMillis: c.Within.Milliseconds(), ClockErrorMillis: c.ClockError.Milliseconds(), ClockOffsets: map[logdb.MeterUID]int64{}}
	now := time.Now()
	if q.From, err = parseWhen(c.From, time.UTC, now); err != nil {
		return err
	}
	if q.To, err = parseWhen(c.To, time.UTC, now); err != nil {
		return err
	}
	for _, word := range c.Meters {
		m, err := findMeter(ctx, service, word)
		if err != nil {
			return err
		}
		q.Meters = append(q.Meters, m.UID)
	}
	zone, err := zoneOfAll(ctx, service, q.Meters)
	if err != nil {
		return err
	}
	for word, ms := range c.Ahead {
		m, err := findMeter(ctx, service, word)
		if err != nil {
			return err
		}
		q.ClockOffsets[m.UID] = ms
	}
	answer, err := service.EventGroups(ctx, q)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(p.stdout, answer)
	}
	if len(answer.Groups) == 0 {
		fmt.Fprintln(p.stdout, "No PQ events in that time.")
		return nil
	}
	unset := map[string]bool{}
	for i := range answer.Groups {
		g := &answer.Groups[i]
		for _, s := range g.Sightings {
			if s.OfFullScale {
				unset[s.Name] = true
			}
		}
		fmt.Fprintf(p.stdout, "%s  %s\n", clock(g.Start, zone), g.Summary)
		if len(g.Sightings) < 2 {
			continue
		}
		for _, s := range g.Sightings {
			fmt.Fprintf(p.stdout, "    %+6d ms  %s, %s on %s\n", s.Corrected-g.Start, s.Name, percentText(s.Ratio, 0), s.Phase)
		}
		if g.Spread > g.Tolerance {
			fmt.Fprintf(p.stdout, "    ! the starts lie %d ms apart, more than the clocks' error of %d ms\n", g.Spread, g.Tolerance)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(unset)) {
		fmt.Fprintf(p.stdout, "! percentages of %s are of full scale: set its nominal_volts (metermanager meter set)\n", name)
	}
	return nil
}
