package cloudsync_test

import (
	"errors"
	"slices"

	"metermanager/logdb"
	"metermanager/logdb/limit"
)

// wantPoints computes what the cloud must hold, from the journal alone and straight from the contract.
func (w *world) wantPoints() []point {
	type group struct{ rows []logdb.Position }
	chosen := w.chosen
	if chosen == nil {
		chosen = channels
	}
	has := func(e logdb.Entry) bool {
		return slices.ContainsFunc(e.Row.Channels, func(c logdb.ChannelKey) bool { return slices.Contains(chosen, c) })
	}
	enters := map[logdb.Position]logdb.Position{} // rows: where the first version stands of which something is chosen
	groups := map[string]*group{}
	var order []string
	adds, live := map[logdb.Position]logdb.Entry{}, map[logdb.Position]logdb.Entry{}
	for _, e := range w.journalEntries(logdb.KindHistorical) {
		switch e.Op {
		case logdb.OpAdd:
			key := w.bucket(e.Log, e.Run, e.Time)
			if groups[key] == nil {
				groups[key] = &group{}
				order = append(order, key)
			}
			groups[key].rows = append(groups[key].rows, e.Position)
			adds[e.Position], live[e.Position] = e, e
			if w.chosen == nil || has(e) {
				enters[e.Position] = e.Position
			}
		case logdb.OpRevise:
			live[e.Target] = e
			if enters[e.Target] == 0 && has(e) {
				enters[e.Target] = e.Position
			}
		case logdb.OpWithdraw:
			delete(live, e.Target)
		}
	}
	var out []point
	for _, key := range order {
		rows := groups[key].rows
		slices.SortFunc(rows, func(a, b logdb.Position) int { return compare(enters[a], enters[b]) })
		for _, c := range chosen {
			var values []float64
			var newest, at logdb.Millis
			var last float64
			for _, p := range rows {
				e, ok := live[p]
				if !ok {
					continue
				}
				if has(e) {
					at = max(at, e.Time)
				}
				if i := slices.Index(e.Row.Channels, c); i >= 0 {
					values = append(values, e.Row.Values[i])
					if e.Time >= newest {
						newest, last = e.Time, e.Row.Values[i]
					}
				}
			}
			if len(values) == 0 {
				continue
			}
			if log := adds[rows[0]].Log; !w.slow(log) {
				at = w.bucketTime(log, at)
			}
			sum := values[0]
			for _, v := range values[1:] {
				sum += v
			}
			v := sum / float64(len(values))
			switch logdb.LookupChannel(c).Agg {
			case logdb.AggSum:
				v = sum
			case logdb.AggMax:
				v = slices.Max(values)
			case logdb.AggLast:
				v = last
			}
			out = append(out, point{c, at, v})
		}
	}
	sortPoints(out)
	return out
}

// wantEvents computes the live events that the cloud must hold.
func (w *world) wantEvents(kind logdb.Kind) []string {
	limits, counts := logdb.DefaultLimits(), limit.Counts{}
	live, kept := map[logdb.Position]logdb.Entry{}, map[logdb.Position]bool{}
	for _, e := range w.journalEntries(kind) {
		switch e.Op {
		case logdb.OpAdd:
			if e.System != nil && e.System.Type == logdb.SystemLogRetrieval {
				continue
			}
			short, _ := limit.ShortenEntry(&e, limits)
			if ok, _ := limit.Decide(limits.Of(kind), counts, short.Time); ok {
				live[e.Position] = e
				kept[e.Position] = true
			}
		case logdb.OpRevise:
			if kept[e.Target] { // also after a withdraw: the newest version counts
				live[e.Target] = e
			}
		case logdb.OpWithdraw:
			delete(live, e.Target)
		}
	}
	var out []string
	for _, e := range live {
		short, _ := limit.ShortenEntry(&e, limits)
		out = append(out, short.ContentDigest().String())
	}
	slices.Sort(out)
	return out
}

func (w *world) haveEvents(kind logdb.Kind, journal logdb.JournalID) []string {
	var out []string
	q := logdb.EventQuery{Meter: "cloud-4711", Kind: kind}
	err := w.cloud.store.ReadEvents(w.t.Context(), q, func(s logdb.StreamID, e *logdb.Entry) error {
		if s.Journal != journal {
			return nil
		}
		full := *e
		if kind == logdb.KindWaveform {
			p := e.Position
			if e.Target != 0 {
				p = e.Target
			}
			var err error
			if full, err = w.cloud.store.Recording(w.t.Context(), "cloud-4711", s, p); err != nil {
				return err
			}
		}
		out = append(out, full.ContentDigest().String())
		return nil
	})
	if err != nil && !errors.Is(err, logdb.ErrUnknownMeter) {
		w.t.Fatal(err)
	}
	slices.Sort(out)
	return out
}
