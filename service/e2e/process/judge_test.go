//go:build unix

package process_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os/exec"
	"slices"
	"strings"
	"time"

	"metermanager/logdb"
	"metermanager/rpc/api"
	"metermanager/service/field/sim"
)

// settleIn is how long the parts may take, after the faults, until everything is where it belongs.
// It is long for machines that are busy with other tests.
const settleIn = 4 * time.Minute

// truth is what the meter really recorded: the same meter, made once more here.
type truth struct {
	*sim.Meter
	until time.Time // the end of the faults: what was recorded before must be everywhere
	rows  [3][]sim.Record
}

// logNumbers are the meter's numbers of its historical logs, in the order of the driver's.
var logNumbers = [3]int{sim.LogHist1, sim.LogHist2, sim.LogHist3}

func (w *world) truth(until time.Time) (*truth, error) {
	twin, err := w.twin()
	if err != nil {
		return nil, err
	}
	out := &truth{Meter: twin, until: until}
	for i, number := range logNumbers {
		for r, err := range twin.Records(number) {
			if err != nil {
				return nil, err
			}
			out.rows[i] = append(out.rows[i], r)
		}
	}
	return out, nil
}

// judge waits until everything is where it belongs, and compares.
func (w *world) judge(ctx context.Context) error {
	until := time.Now()
	deadline := until.Add(settleIn)
	for {
		err := w.compare(ctx, until)
		if err == nil {
			w.log.note("settled")
			return w.finish(ctx)
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%v after the end of the faults: %w", settleIn, err)
		}
		sleep(ctx, 250*time.Millisecond)
	}
}

// compare compares meter, sites and cloud.
func (w *world) compare(ctx context.Context, until time.Time) error {
	if err := w.running(); err != nil {
		return err
	}
	var sites []*holding
	for _, s := range w.sites {
		h, err := hold(ctx, s.node)
		if err != nil {
			return err
		}
		sites = append(sites, h)
	}
	is, err := w.truth(until)
	if err != nil {
		return fmt.Errorf("make the meter once more: %w", err)
	}
	w.found = fmt.Sprintf("%d+%d+%d rows", len(is.rows[0]), len(is.rows[1]), len(is.rows[2]))
	if w.plan.holds(altering...) || w.plan.interval > 0 {
		err = w.compareLives(ctx, sites)
	} else {
		err = w.compareNow(ctx, is, sites)
	}
	if err != nil {
		return err
	}
	for _, s := range w.sites { // last: it engages the meter's logs, of which sites at one meter have one
		if err := s.verify(ctx); err != nil {
			return err
		}
	}
	return nil
}

// compareNow compares with what the meter holds: everything that it ever recorded.
func (w *world) compareNow(ctx context.Context, is *truth, sites []*holding) error {
	var errs []error
	for _, h := range sites {
		errs = append(errs, is.site(h), h.replays(ctx))
	}
	for _, n := range w.clouds {
		c, err := hold(ctx, n)
		if err != nil {
			return err
		}
		for _, h := range sites {
			errs = append(errs, uploaded(h, c))
		}
		errs = append(errs, is.cloud(ctx, c), c.replays(ctx))
		w.found += fmt.Sprintf(", %d streams at the %s", len(c.kinds[logdb.KindHistorical].states), c.who)
	}
	return errors.Join(errs...)
}

// running reports parts that ended by themselves.
func (w *world) running() error {
	var errs []error
	for _, p := range w.parts() {
		errs = append(errs, p.alive())
	}
	return errors.Join(errs...)
}

// verify asks a site to compare itself with meter and cloud.
func (s *site) verify(ctx context.Context) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	defer c.Close()
	var r api.VerifyReport
	if err := c.Call(ctx, api.CmdVerify, nil, &r); err != nil {
		return fmt.Errorf("verify at the %s: %w", s.name, err)
	}
	return notClean(s.name, &r)
}

func notClean(who string, r *api.VerifyReport) error {
	if r.Clean() && r.Compared > 0 {
		return nil
	}
	var b strings.Builder
	fmt.Fprintf(&b, "verify at the %s: %d compared, %d different, %d pending", who, r.Compared, r.Different, r.Pending)
	for i, d := range r.Days {
		if i == 10 {
			b.WriteString("\n  ...")
			break
		}
		fmt.Fprintf(&b, "\n  %s %s %s log %d %s %s: %s, here %d, there %d, %d records: %s", d.Between, d.Kind, d.Stream, d.Log, d.Channel, d.Day, d.State, d.Here, d.There, d.Count, d.Reason)
	}
	return errors.New(b.String())
}

// cloned reports whether a site runs beside a copy of itself.
func (w *world) cloned() bool {
	return slices.ContainsFunc(w.sites, func(s *site) bool { return strings.HasPrefix(s.name, "clone") })
}

// finish asks the command line, as a user does: nothing differs, nothing is pending, exit code 0.
func (w *world) finish(ctx context.Context) error {
	for _, s := range w.sites {
		var last string
		ok := false
		for range 20 { // a record of this very moment may wait for the cloud
			cmd := exec.CommandContext(ctx, w.exe, "verify", "--json", "--url", "http://"+s.address(), "--key", s.secret.APIKey)
			cmd.Env = cleanEnviron()
			out, err := cmd.Output()
			var r api.VerifyReport
			if json.Unmarshal(out, &r) == nil && err == nil && notClean(s.name, &r) == nil {
				ok = true
				break
			}
			last = fmt.Sprintf("%v: %.2000s", err, out)
			// A copy of a site may be a record behind the other one, which has sent it under the id of both.
			if cmd.ProcessState != nil && cmd.ProcessState.ExitCode() != 7 && !w.cloned() {
				break
			}
			sleep(ctx, 100*time.Millisecond)
		}
		if !ok {
			return fmt.Errorf("verify --json at the %s: %s", s.name, last)
		}
	}
	return nil
}

// site compares the journal of a site with the meter: every record, once, in order, to the last bit.
func (is *truth) site(h *holding) error {
	_, all := h.kinds[logdb.KindHistorical].own()
	var rows [3][]logdb.Entry
	for _, e := range all {
		switch {
		case e.Op == logdb.OpGap:
			return fmt.Errorf("the %s noted a gap that is none: %+v", h.who, *e.Gap)
		case e.Op != logdb.OpAdd || e.Row == nil || int(e.Log) >= len(rows):
			return fmt.Errorf("the %s has an entry that the meter does not explain: position %d, %s", h.who, e.Position, e.Op)
		}
		rows[e.Log] = append(rows[e.Log], e)
	}
	for log := range rows {
		if err := is.inOrder(h.who, log, rows[log]); err != nil {
			return err
		}
	}
	return errors.Join(is.excursions(h.who, logdb.KindPQ, ownLive(h, logdb.KindPQ)), is.excursions(h.who, logdb.KindLimit, ownLive(h, logdb.KindLimit)),
		is.recordings(h.who, ownLive(h, logdb.KindWaveform)), is.system(h))
}

func ownLive(h *holding, kind logdb.Kind) []logdb.Entry {
	_, all := h.kinds[kind].own()
	return live(all)
}

func (is *truth) inOrder(who string, log int, rows []logdb.Entry) error {
	for i, e := range rows {
		if i >= len(is.rows[log]) {
			return fmt.Errorf("the %s has %d rows of log %d, the meter only %d", who, len(rows), log, i)
		}
		if err := sameRow(is.rows[log][i], e.Time, e.Row.Channels, e.Row.Values); err != nil {
			return fmt.Errorf("the %s, log %d, row %d at position %d: %w", who, log, i, e.Position, err)
		}
	}
	if n := len(rows); n < len(is.rows[log]) && is.rows[log][n].True.Before(is.until) {
		return fmt.Errorf("the %s has %d rows of log %d, the meter more since %s", who, n, log, is.rows[log][n].True)
	}
	return nil
}

// sameRow compares a row with the meter's record.
func sameRow(r sim.Record, at logdb.Millis, channels []logdb.ChannelKey, values []float64) error {
	if !at.Time().Equal(r.Time) {
		return fmt.Errorf("its time is %s, the meter's clock said %s", at, r.Time)
	}
	have := map[logdb.ChannelKey]float64{}
	for i, c := range channels {
		have[c] = values[i]
	}
	for _, v := range r.Values {
		if got, ok := have[v.Channel]; !ok || !sameReading(got, v.Value) {
			return fmt.Errorf("%s is %v, the meter recorded %v", v.Channel, got, v.Value)
		}
	}
	if len(have) != len(r.Values) {
		return fmt.Errorf("it has %d channels, the meter %d", len(have), len(r.Values))
	}
	return nil
}

// sameReading: readings of 32 bits are the same by their bits (the driver keeps the shortest decimal that
// has them), scaled integers up to the last place of the scaling.
func sameReading(have, recorded float64) bool {
	if float64(float32(recorded)) == recorded {
		return float32(have) == float32(recorded)
	}
	return math.Abs(have-recorded) <= 1e-14*math.Abs(recorded)
}

// uploaded compares what the cloud holds of a site's journal with the journal: every position is decided, and
// every value is there once, although the site may have changed what it uploads.
func uploaded(site, cloud *holding) error {
	for kind, k := range site.kinds {
		own, entries := k.own()
		if own.Stream.IsZero() {
			continue
		}
		there := cloud.kinds[kind]
		name := own.Stream.Journal
		if kind == logdb.KindHistorical {
			name = furthest(there.states, name)
		}
		var decided logdb.FateSet
		held := map[logdb.Position]map[logdb.ChannelKey]bool{}
		for _, s := range there.states {
			if s.Stream.Journal != name {
				continue
			}
			for _, r := range s.Fates.Ranges() {
				decided.Put(r)
			}
			for p, e := range there.entries[s.Stream] {
				if int(p) > len(entries) {
					continue // newer than what was read of the site
				}
				if held[p] == nil {
					held[p] = map[logdb.ChannelKey]bool{}
				}
				if err := sameEntry(&entries[p-1], &e, s.Stream, held[p]); err != nil {
					return fmt.Errorf("%s, position %d of the %s, at the cloud: %w", kind, p, site.who, err)
				}
			}
		}
		if missing := decided.Missing(1, own.Fates.Highest()); len(missing) > 0 && kind != logdb.KindSystem { // retrieval goes on
			return fmt.Errorf("%s of the %s: the cloud has not decided the positions %v", kind, site.who, missing)
		}
		for p, channels := range held {
			if e := &entries[p-1]; e.Row != nil && len(channels) != len(e.Row.Channels) {
				return fmt.Errorf("%s, position %d of the %s: the cloud has %d channels of %d", kind, p, site.who, len(channels), len(e.Row.Channels))
			}
		}
	}
	return nil
}

// furthest returns under which name a cloud was told most of a journal: one that is sent other channels than another one
// gets it under a name of its own.
func furthest(states []logdb.StreamState, own logdb.JournalID) logdb.JournalID {
	best, end := own, logdb.Position(0)
	for _, s := range states {
		if j := s.Stream.Journal; j.Family() == own.Family() && (s.JournalEnd > end || s.JournalEnd == end && j == own) {
			best, end = j, s.JournalEnd
		}
	}
	return best
}

// sameEntry compares an entry at the cloud with the site's, and notes the channels that came. Events have one, and gaps one of each part of
// the journal that is sent as a stream of its own.
func sameEntry(mine, there *logdb.Entry, stream logdb.StreamID, held map[logdb.ChannelKey]bool) error {
	if mine.Position != there.Position || mine.Op != there.Op || mine.Time != there.Time || mine.Log != there.Log || mine.Run != there.Run {
		return fmt.Errorf("it is another record")
	}
	if there.Row == nil || mine.Row == nil {
		_, cut, _ := strings.Cut(stream.Policy, "+")
		if held[logdb.ChannelKey(cut)] {
			return fmt.Errorf("it is held twice")
		}
		held[logdb.ChannelKey(cut)] = true
		if mine.ContentDigest() != there.ContentDigest() {
			return fmt.Errorf("its content differs")
		}
		return nil
	}
	for i, c := range there.Row.Channels {
		n := slices.Index(mine.Row.Channels, c)
		switch {
		case n < 0 || math.Float64bits(mine.Row.Values[n]) != math.Float64bits(there.Row.Values[i]):
			return fmt.Errorf("%s is %v, which is not the site's", c, there.Row.Values[i])
		case held[c]:
			return fmt.Errorf("%s is held twice", c)
		}
		held[c] = true
	}
	return nil
}
