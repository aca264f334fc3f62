package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"metermanager/logdb"
	"metermanager/logdb/limit"
	"metermanager/rpc/api"
	"metermanager/rpc/client"
	"metermanager/rpc/fault"
	"metermanager/rpc/permission"
)

// importTarget is a meter of a running service.
type importTarget struct {
	service *client.Client
	meter   api.Meter
	limits  *logdb.Limits // nil: not told
	limited bool          // records may be skipped or shortened
}

// importDone counts what became of the records of one log.
type importDone struct {
	Stored  int `json:"stored"`
	Repeats int `json:"repeats"`
	Revised int `json:"revised,omitempty"`
	Skipped int `json:"skipped"`
}

func (c *logImportCmd) target(ctx context.Context, p *program) (*importTarget, func(), error) {
	service, done, err := c.connect(ctx, p, permission.Upload)
	if err != nil {
		return nil, nil, err
	}
	t := &importTarget{service: service, limited: c.Limited}
	if t.meter, err = findMeter(ctx, service, c.Meter); err != nil {
		done()
		return nil, nil, err
	}
	t.limits = askLimits(ctx, service)
	return t, done, nil
}

// askLimits asks what the service takes of what is uploaded; nil when it does not tell.
func askLimits(ctx context.Context, service *client.Client) *logdb.Limits {
	var answer struct {
		Limits map[string]string `json:"limits"`
	}
	if err := service.Call(ctx, api.CmdLimitList, nil, &answer); err != nil {
		return nil
	}
	var out logdb.Limits
	for name, value := range answer.Limits {
		if limit.Set(&out, name, value) != nil {
			return nil
		}
	}
	return &out
}

// importBodyBytes is how much is uploaded at once, far below what a service takes.
const importBodyBytes = 32 << 20

// store uploads what a file holds. It comes without positions: the receiver tells repeats by content.
func (t *importTarget) store(ctx context.Context, pages []logdb.Page, file string, bar *progress) (map[string]importDone, error) {
	if err := t.fits(pages, file); err != nil {
		return nil, err
	}
	out := map[string]importDone{}
	for i := range pages {
		bar.say("%s: %d of %d parts stored", filepath.Base(file), i, len(pages))
		pages[i].Meter = t.meter.UID
		body := api.AppendPage(nil, &pages[i], api.DialectJSON)
		if len(body) > importBodyBytes {
			return out, fault.Newf(fault.TooLarge, "A recording of %s takes %s to upload, at most %s are taken.", filepath.Base(file), bytesText(int64(len(body))), bytesText(importBodyBytes))
		}
		answer, err := t.service.Upload(ctx, t.meter.UID, pages[i].Kind, body)
		if err != nil {
			return out, err
		}
		name := pages[i].Kind.String()
		sum := out[name]
		sum.Stored += answer.Stored
		sum.Repeats += answer.Repeats
		sum.Revised += answer.Revised
		sum.Skipped += answer.Skipped
		out[name] = sum
	}
	return out, nil
}

// fits refuses a file of which limits of the service would skip or shorten something: what is skipped once is
// decided, so the limit has to be changed before.
func (t *importTarget) fits(pages []logdb.Page, file string) error {
	if t.limits == nil || t.limited {
		return nil
	}
	broken := overLimits(pages, *t.limits)
	if len(broken) == 0 {
		return nil
	}
	var what, do []string
	for _, name := range limit.Names() {
		if broken[name] == "" {
			continue
		}
		value := "none"
		switch name {
		case "historical_interval":
			value = "0s"
		case "waveform_samples", "waveform_samples_per_cycle":
			value = "0"
		}
		what, do = append(what, broken[name]), append(do, "rpc limit.set "+name+" "+value)
	}
	return fault.Newf(fault.Invalid, "The service's limits would not take all of %s: %s.", filepath.Base(file), strings.Join(what, "; ")).
		WithHint("Change them first (" + strings.Join(do, ", ") + "), and back to default after it; or import what they let through with --limited.")
}

// overLimits returns the limits that the pages break by themselves, whatever is stored already, each with what breaks it.
func overLimits(pages []logdb.Page, l logdb.Limits) map[string]string {
	out := map[string]string{}
	last, counts := map[logdb.LogNo]logdb.Millis{}, map[logdb.Kind]limit.Counts{}
	for i := range pages {
		p := &pages[i]
		for k := range p.Rows {
			tooDense(&p.Rows[k], last, logdb.Millis(l.HistoricalIntervalMillis), out)
		}
		if counts[p.Kind] == nil {
			counts[p.Kind] = limit.Counts{}
		}
		for k := range p.Entries {
			if ok, reason := limit.Decide(l.Of(p.Kind), counts[p.Kind], p.Entries[k].Time); !ok {
				out[p.Kind.String()] = fmt.Sprintf("it takes fewer %s records in one %s", p.Kind, reason)
			}
		}
		for k := range p.Entries {
			if e := &p.Entries[k]; e.Waveform != nil {
				tooLong(e, l, out)
			}
		}
	}
	return out
}

// tooDense notes rows that share a step of the interval that a receiver takes one row of.
func tooDense(h *logdb.History, last map[logdb.LogNo]logdb.Millis, interval logdb.Millis, out map[string]string) {
	if interval <= 0 {
		return
	}
	for _, at := range h.Times {
		before, ok := last[h.Log]
		if ok && at > before && at.Floor(interval) == before.Floor(interval) {
			out["historical_interval"] = fmt.Sprintf("rows are %d ms apart, and it takes one each %d ms", at-before, interval)
			return
		}
		last[h.Log] = at
	}
}

// tooLong notes which of the two limits of recordings shorten one.
func tooLong(e *logdb.Entry, l logdb.Limits, out map[string]string) {
	for _, one := range []struct {
		name, what string
		limits     logdb.Limits
	}{
		{"waveform_samples", fmt.Sprintf("a recording has more than %d samples", l.WaveformSamples), logdb.Limits{WaveformSamples: l.WaveformSamples}},
		{"waveform_samples_per_cycle", fmt.Sprintf("a recording has more than %d samples a cycle", l.WaveformSamplesPerCycle), logdb.Limits{WaveformSamplesPerCycle: l.WaveformSamplesPerCycle}},
	} {
		if _, changed := limit.ShortenEntry(e, one.limits); changed {
			out[one.name] = one.what
		}
	}
}

// importReport prints what a file holds for people.
func (p *program) importReport(r imported) error {
	head := r.Kind
	if r.Version != "" {
		head += " " + r.Version
	}
	fmt.Fprintf(p.stdout, "%s: %s", r.File, head)
	for _, part := range []struct{ label, value string }{{"station", r.Station}, {"device", r.Device}} {
		if part.value != "" {
			fmt.Fprintf(p.stdout, ", %s %s", part.label, part.value)
		}
	}
	fmt.Fprintf(p.stdout, ", %s", count(int64(r.Records), "record"))
	for _, part := range []struct {
		label string
		at    *string
	}{{"from", r.Start}, {"trigger", r.Trigger}} {
		if part.at != nil {
			fmt.Fprintf(p.stdout, ", %s %s", part.label, *part.at)
		}
	}
	fmt.Fprint(p.stdout, "\n\n")
	t := newTable("Channel", "Unit", ">Samples", ">Missing", ">First", ">Min", ">Max")
	for _, c := range r.Channels {
		missing := ""
		if c.Missing > 0 {
			missing = grouped(int64(c.Missing))
		}
		t.add(strings.TrimSpace(c.Name+" "+c.Statistic), c.Unit, grouped(int64(c.Samples)), missing, formatValue(float64(c.First)), formatValue(float64(c.Min)), formatValue(float64(c.Max)))
	}
	if len(r.Channels) > 0 {
		if err := t.writeCut(p.stdout); err != nil {
			return err
		}
		fmt.Fprintln(p.stdout)
	}
	if r.Events > 0 {
		fmt.Fprintf(p.stdout, "%s\n", count(int64(r.Events), "event"))
	}
	for _, s := range r.Assumed {
		fmt.Fprintln(p.stdout, "Assumed: "+s)
	}
	for _, s := range r.NotUnderstood {
		fmt.Fprintln(p.stdout, "! Not understood: "+s)
	}
	for _, s := range r.Changed {
		fmt.Fprintln(p.stdout, "! Changed: "+s)
	}
	p.importCounts(r)
	fmt.Fprintln(p.stdout)
	return nil
}

// importCounts prints what became of the records of each log.
func (p *program) importCounts(r imported) {
	for _, kind := range logdb.Kinds {
		d, ok := r.Imported[kind.String()]
		if !ok {
			continue
		}
		line := fmt.Sprintf("%s: %s stored, %s there already", kind, grouped(int64(d.Stored)), grouped(int64(d.Repeats)))
		if d.Revised > 0 {
			line += fmt.Sprintf(", %s completed", grouped(int64(d.Revised)))
		}
		if d.Skipped > 0 {
			line += fmt.Sprintf("\n! %s skipped by limits: metermanager log skipped %s", grouped(int64(d.Skipped)), r.Meter)
		}
		fmt.Fprintln(p.stdout, line)
	}
}
