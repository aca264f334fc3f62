package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"strconv"
	"time"

	"metermanager/logdb"
	"metermanager/rpc/api"
	"metermanager/rpc/client"
	"metermanager/rpc/fault"
	"metermanager/service/field/sim"
)

// callingMeter is a simulated web-enabled meter behind a firewall: nobody can ask it. It registers with a manager or a cloud, posts what it
// records, asks for its instructions, carries them out and says what came of them.
type callingMeter struct {
	meter   *sim.Meter
	service *client.Client
	uid     logdb.MeterUID
	zone    string
	every   time.Duration
	posted  time.Time // up to when rows were posted without being asked
	now     func() time.Time
	log     *slog.Logger
	out     io.Writer
}

// postedRows is how many rows it posts at once.
const postedRows = 2000

// call runs the meter until ctx ends.
func (c *simulateCmd) call(ctx context.Context, p *program, history time.Duration) error {
	cfg := c.config(p, history)
	cfg.Kind, cfg.Open = sim.Shark200, func(string) (net.Listener, error) { return nowhere{}, nil }
	meter, err := sim.New(cfg)
	if err != nil {
		return err
	}
	service, err := client.New(c.Call, client.Config{APIKey: c.Key, Retries: -1, Logger: cfg.Logger})
	if err != nil {
		return err
	}
	defer service.Close()
	m := &callingMeter{meter: meter, service: service, zone: c.Zone, every: c.CallEvery, now: time.Now, log: cfg.Logger, out: p.stdout}
	m.posted = m.now()
	for {
		if err := m.turn(ctx); err != nil && ctx.Err() == nil {
			m.log.Warn("the service does not answer as it should; the meter calls again", "err", err)
		}
		timer := time.NewTimer(m.every)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
	}
}

// turn is one call: register, post what is new, carry out what is asked for.
func (m *callingMeter) turn(ctx context.Context) error {
	if m.uid == "" {
		settings := logdb.Settings{Make: "MeterManager", Model: "Simulated web meter", Serial: m.meter.Serial(), Name: "web-" + m.meter.Serial(), Zone: m.zone}
		a, err := m.service.Register(ctx, api.RegisterRequest{Settings: settings})
		if err != nil {
			return fmt.Errorf("register: %w", err)
		}
		m.uid = a.MeterUID
		fmt.Fprintf(m.out, "Registered as %s with %s; calls every %s. Ctrl-C ends it.\n", a.MeterUID, m.service.URL(), m.every)
	}
	now := m.now()
	if _, err := m.post(ctx, logdb.KindHistorical, m.posted, now, 0); err != nil {
		return err
	}
	m.posted = now
	open, err := m.service.OpenRequests(ctx)
	if err != nil {
		return fmt.Errorf("ask for instructions: %w", err)
	}
	for _, r := range open {
		if r.MeterUID != m.uid || !r.Instructs() {
			continue
		}
		if err := m.service.ReportRequest(ctx, r.MeterUID, r.ID, api.FetchReport{State: api.FetchTaken}); err != nil {
			return fmt.Errorf("take instruction %s: %w", r.ID, err)
		}
		report := api.FetchReport{State: api.FetchDone}
		if report.Result, err = m.carryOut(ctx, r); err != nil {
			if fault.CodeOf(err) != fault.Invalid {
				return err // the service may take it later: it stays taken and is found again
			}
			report = api.FetchReport{State: api.FetchFailed, Reason: err.Error()}
		}
		if err := m.service.ReportRequest(ctx, r.MeterUID, r.ID, report); err != nil {
			return fmt.Errorf("report instruction %s: %w", r.ID, err)
		}
		m.log.Info("carried out an instruction", "action", r.What[0], "state", report.State, "err", report.Reason)
	}
	return nil
}

// carryOut does what an instruction says. What the meter does not know is a fault.Invalid.
func (m *callingMeter) carryOut(ctx context.Context, r api.FetchRequest) (string, error) {
	switch r.What[0] {
	case api.FetchPost:
		kind, err := logdb.ParseKind(r.Kind)
		if err != nil {
			return "", fault.Wrap(fault.Invalid, "The meter has no such log.", err)
		}
		to := m.now()
		if r.To != 0 && r.To.Time().Before(to) {
			to = r.To.Time()
		}
		n, err := m.post(ctx, kind, r.From.Time(), to, time.Duration(r.IntervalSeconds)*time.Second)
		return fmt.Sprintf("%d records posted", n), err
	case api.FetchSettings:
		for name, value := range r.Set {
			s, err := strconv.Atoi(value)
			if name != "call_s" || err != nil || s < 1 || s > 86_400 {
				return "", fault.Newf(fault.Invalid, "The meter has no setting %s, or does not take the value %q.", name, value)
			}
			m.every = time.Duration(s) * time.Second
		}
		return fmt.Sprintf("%d settings taken", len(r.Set)), nil
	case api.FetchCommand:
		if r.Command != "reset_energy" {
			return "", fault.Newf(fault.Invalid, "The meter has no command %s.", r.Command)
		}
		m.meter.ResetEnergy()
		return "the energy counters are at zero", nil
	}
	return "", fault.Newf(fault.Invalid, "The meter does not know what %s is.", r.What[0])
}

// post sends the records of a log with from <= time < to.
func (m *callingMeter) post(ctx context.Context, kind logdb.Kind, from, to time.Time, interval time.Duration) (int, error) {
	if kind == logdb.KindHistorical {
		n := 0
		for no, log := range [...]int{sim.LogHist1, sim.LogHist2} {
			k, err := m.postRows(ctx, logdb.LogNo(no), log, from, to, interval)
			if n += k; err != nil {
				return n, err
			}
		}
		return n, nil
	}
	entries, err := m.entries(kind, from, to)
	if err != nil || len(entries) == 0 {
		return 0, err
	}
	_, err = m.service.PushPage(ctx, &logdb.Page{Meter: m.uid, Kind: kind, Entries: entries})
	return len(entries), err
}

func (m *callingMeter) postRows(ctx context.Context, no logdb.LogNo, log int, from, to time.Time, interval time.Duration) (n int, err error) {
	h := logdb.History{Log: no, Channels: m.meter.Channels(log)}
	flush := func() error {
		if len(h.Times) == 0 {
			return nil
		}
		if _, err := m.service.PushPage(ctx, &logdb.Page{Meter: m.uid, Kind: logdb.KindHistorical, Rows: []logdb.History{h}}); err != nil {
			return fmt.Errorf("post rows: %w", err)
		}
		n += len(h.Times)
		h.Times, h.Columns = nil, nil
		return nil
	}
	for r, err := range m.meter.Records(log) {
		if err != nil {
			return n, err
		}
		if r.True.Before(from) || !r.True.Before(to) || interval > 0 && r.True.UnixMilli()%interval.Milliseconds() != 0 {
			continue
		}
		if h.Columns == nil {
			h.Columns = make([][]float64, len(h.Channels))
		}
		h.Times = append(h.Times, logdb.MillisOf(r.True))
		for i, v := range r.Values {
			h.Columns[i] = append(h.Columns[i], v.Value)
		}
		if len(h.Times) == postedRows {
			if err := flush(); err != nil {
				return n, err
			}
		}
	}
	return n, flush()
}

// entries are the events or recordings of a log in a range.
func (m *callingMeter) entries(kind logdb.Kind, from, to time.Time) (out []logdb.Entry, err error) {
	in := func(t time.Time) bool { return !t.IsZero() && !t.Before(from) && t.Before(to) }
	switch kind {
	case logdb.KindSystem:
		for r, err := range m.meter.Records(sim.LogSystem) {
			if err != nil {
				return nil, err
			}
			if in(r.True) {
				out = append(out, logdb.Entry{Op: logdb.OpAdd, Time: logdb.MillisOf(r.True), System: &logdb.SystemEvent{Type: r.System, Description: r.System.String()}})
			}
		}
	case logdb.KindLimit, logdb.KindPQ:
		list := m.meter.PQEvents()
		if kind == logdb.KindLimit {
			list = m.meter.LimitEvents()
		}
		for _, e := range list {
			if !in(e.Start) {
				continue
			}
			x := logdb.Excursion{Channel: e.Channel, LimitID: int64(max(0, e.Limit-1)), Type: logdb.ExcursionBelow,
				DurationSeconds: math.NaN(), Worst: math.NaN(), WorstPercent: math.NaN(), Threshold: math.NaN()}
			if e.Above {
				x.Type = logdb.ExcursionAbove
			}
			if !e.End.IsZero() {
				x.DurationSeconds = e.End.Sub(e.Start).Seconds()
			}
			if kind == logdb.KindPQ {
				x.Worst = e.Worst
			} else {
				x.WorstPercent = 100 * e.Worst
			}
			out = append(out, logdb.Entry{Op: logdb.OpAdd, Time: logdb.MillisOf(e.Start), Excursion: &x})
		}
	case logdb.KindWaveform:
		for r := range m.meter.Recordings() {
			if !in(r.First) {
				continue
			}
			step := float64(r.SampleInterval) / float64(time.Millisecond)
			w := logdb.Waveform{SampleIntervalMillis: step, TriggerTime: logdb.MillisOf(r.Trigger), FrequencyHz: math.NaN(), Channels: r.Channels}
			w.End = logdb.MillisOf(r.First) + logdb.Millis(step*float64(len(r.Channels[0].Samples)))
			out = append(out, logdb.Entry{Op: logdb.OpAdd, Time: logdb.MillisOf(r.First), Waveform: &w})
		}
	}
	return out, nil
}

// nowhere is the port of a meter that answers nobody.
type nowhere struct{}

// Accept takes nobody.
func (nowhere) Accept() (net.Conn, error) { return nil, net.ErrClosed }

// Close does nothing.
func (nowhere) Close() error { return nil }

// Addr is none.
func (nowhere) Addr() net.Addr { return &net.TCPAddr{} }
