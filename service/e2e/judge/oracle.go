package judge

import (
	"context"
	"slices"

	"metermanager/logdb"
	"metermanager/logdb/limit"
	"metermanager/logdb/logdbtest"
)

// oracle computes what a cloud must hold from the site's journal alone and straight from the
// contract: which fate each position has, which rows are combined, which events are skipped.
type oracle struct {
	limits  logdb.Limits
	kind    logdb.Kind
	journal []logdb.Entry
	live    map[logdb.Position]logdb.Entry // newest versions that are not withdrawn
	adds    []logdb.Entry
	revise  []logdb.Entry
	fates   map[logdb.Position]logdb.Fate // of adds; of rows only where their logs are reduced
	groups  []*group                      // historical only
	waits   map[logdb.Position]bool       // rows of intervals that are not closed yet, and what changes them
}

// group are rows that travel as one.
type group struct {
	rows    []logdb.Entry
	end     logdb.Millis   // of the interval whose end the row is given; 0: it keeps its time
	carrier logdb.Position // at which they travel; 0: not yet, or at any of them
}

func newOracle(limits logdb.Limits, kind logdb.Kind, journal []logdb.Entry, requested bool) *oracle {
	o := &oracle{
		limits: limits, kind: kind, journal: journal, live: map[logdb.Position]logdb.Entry{}, fates: map[logdb.Position]logdb.Fate{}, waits: map[logdb.Position]bool{},
	}
	for _, v := range live(journal) {
		o.live[v.position] = v.entry
	}
	for _, e := range journal {
		switch e.Op {
		case logdb.OpAdd:
			o.adds = append(o.adds, e)
		case logdb.OpRevise:
			o.revise = append(o.revise, e)
		}
	}
	if kind == logdb.KindHistorical {
		o.gather()
		o.reduce()
	} else {
		o.limit()
	}
	if requested {
		for p, fate := range o.fates {
			if fate == logdb.FateSkipped {
				o.fates[p] = logdb.FateStored
			}
		}
	}
	return o
}

// gather puts the rows of each interval of a run together, of logs that are not logged more often than an interval: they travel
// at once, and no others come but by accident. These intervals begin on the full minute.
func (o *oracle) gather() {
	type interval struct {
		log             logdb.LogNo
		run, generation uint32
		at              logdb.Millis
	}
	at := map[interval]*group{}
	for _, e := range o.adds {
		if o.fast(e.Log) {
			continue
		}
		m := interval{e.Log, e.Run, e.Generation, e.Time.Floor(logdb.Millis(o.limits.HistoricalIntervalMillis))}
		if at[m] == nil {
			at[m] = &group{}
			o.groups = append(o.groups, at[m])
		}
		at[m].rows = append(at[m].rows, e)
	}
}

// fast reports whether a log is recorded more often than an interval of the limit.
func (o *oracle) fast(log logdb.LogNo) bool {
	return int(log) < len(historicalMillis) && historicalMillis[log] < o.limits.HistoricalIntervalMillis
}

// reduce decides the rows of the other logs in journal order. A row belongs to the interval (end - step, end] of its run. That is
// closed by an entry of the run two steps beyond its end, by one of a later run, or by a close, and travels at the position of the
// last row it had then. One that comes later travels as a revise of that row, or, where there is none, by itself (replication.md 2).
func (o *oracle) reduce() {
	step := logdb.Millis(o.limits.HistoricalIntervalMillis)
	type run struct {
		log             logdb.LogNo
		run, generation uint32
	}
	current := map[logdb.LogNo]run{}
	newest, closed := map[run]logdb.Millis{}, map[run]logdb.Millis{} // closed: the end up to which all intervals are
	open := map[logdb.LogNo][]*group{}
	all := map[run]map[logdb.Millis]*group{}
	at := map[logdb.Position]*group{} // of a row
	changes := map[*group][]logdb.Entry{}
	closeAll := func(log logdb.LogNo, until logdb.Millis) {
		r := current[log]
		open[log] = slices.DeleteFunc(open[log], func(g *group) bool {
			if g.end > until {
				return false
			}
			closed[r] = max(closed[r], g.end)
			g.carrier = g.rows[len(g.rows)-1].Position
			for _, e := range g.rows {
				o.fates[e.Position] = logdb.FateReduced
			}
			o.fates[g.carrier] = logdb.FateStored
			for _, e := range changes[g] {
				if e.Position < g.carrier {
					o.fates[e.Position] = logdb.FateReduced
				}
			}
			return true
		})
	}
	for _, e := range o.journal {
		if e.Op == logdb.OpRevise || e.Op == logdb.OpWithdraw {
			if g := at[e.Target]; g != nil && g.carrier == 0 {
				changes[g] = append(changes[g], e)
			}
			continue
		}
		if !o.fast(e.Log) {
			continue
		}
		r := run{e.Log, e.Run, e.Generation}
		now, known := current[e.Log]
		switch {
		case e.Op == logdb.OpClose:
			closeAll(e.Log, logdb.MaxTime)
			continue
		case !known || r.run > now.run || r.run == now.run && r.generation > now.generation:
			closeAll(e.Log, logdb.MaxTime)
			current[e.Log], newest[r] = r, e.Time
		case r == now:
			newest[r] = max(newest[r], e.Time)
		}
		if r == current[e.Log] {
			closeAll(e.Log, newest[r]-2*step)
			closed[r] = max(closed[r], (newest[r] - 2*step).Floor(step))
		}
		if e.Op != logdb.OpAdd {
			continue
		}
		end := e.Time.Floor(step)
		if end != e.Time {
			end += step
		}
		if all[r] == nil {
			all[r] = map[logdb.Millis]*group{}
		}
		late := r != current[e.Log] || end <= closed[r]
		g := all[r][end]
		if g == nil {
			g = &group{end: end}
			all[r][end] = g
			o.groups = append(o.groups, g)
			if late {
				g.carrier = e.Position
			} else {
				open[e.Log] = append(open[e.Log], g)
			}
		}
		g.rows = append(g.rows, e)
		at[e.Position] = g
		if late {
			o.fates[e.Position] = logdb.FateStored
		}
	}
	for _, list := range open {
		for _, g := range list {
			for _, e := range slices.Concat(g.rows, changes[g]) {
				o.waits[e.Position] = true
			}
		}
	}
}

// limit decides events in journal order: one is kept when every window has room.
func (o *oracle) limit() {
	type window struct {
		size, start logdb.Millis
	}
	used := map[window]int{}
	for _, e := range o.adds {
		if e.System != nil && e.System.Type == logdb.SystemLogRetrieval {
			o.fates[e.Position] = logdb.FateNotChosen
			continue
		}
		short, _ := limit.ShortenEntry(&e, o.limits)
		fate := logdb.FateStored
		for _, w := range o.limits.Of(o.kind) {
			if used[window{w.Millis, short.Time.Floor(w.Millis)}] >= w.Max {
				fate = logdb.FateSkipped
			}
		}
		if fate == logdb.FateStored {
			for _, w := range o.limits.Of(o.kind) {
				used[window{w.Millis, short.Time.Floor(w.Millis)}]++
			}
		}
		o.fates[e.Position] = fate
	}
}

// points are the values that the cloud must hold.
func (o *oracle) points() []point {
	var out []point
	for _, g := range o.groups {
		if g.end != 0 && g.carrier == 0 {
			continue
		}
		var alive []logdb.Entry
		for _, e := range g.rows {
			if v, ok := o.live[e.Position]; ok && len(v.Row.Channels) > 0 {
				alive = append(alive, v)
			}
		}
		if len(alive) == 0 {
			continue
		}
		at := alive[0].Time
		var channels []logdb.ChannelKey
		for _, e := range alive {
			at = max(at, e.Time)
			for _, c := range e.Row.Channels {
				if !slices.Contains(channels, c) {
					channels = append(channels, c)
				}
			}
		}
		if step := logdb.Millis(o.limits.HistoricalIntervalMillis); g.end != 0 && at.Floor(step) != at {
			at = at.Floor(step) + step
		}
		for _, c := range channels {
			out = append(out, point{c, g.rows[0].Log, at, combine(c, alive)})
		}
	}
	return out
}

// combine is the value of a channel in a row that several were combined into.
func combine(c logdb.ChannelKey, rows []logdb.Entry) float64 {
	var values []float64
	var newest logdb.Millis
	var last float64
	for _, e := range rows {
		if i := slices.Index(e.Row.Channels, c); i >= 0 {
			values = append(values, e.Row.Values[i])
			if e.Time >= newest {
				newest, last = e.Time, e.Row.Values[i]
			}
		}
	}
	sum := values[0]
	for _, v := range values[1:] {
		sum += v
	}
	switch logdb.LookupChannel(c).Agg {
	case logdb.AggSum:
		return sum
	case logdb.AggMax:
		return slices.Max(values)
	case logdb.AggMin:
		return slices.Min(values)
	case logdb.AggLast:
		return last
	}
	return sum / float64(len(values))
}

// events are the digests of the events that the cloud must hold.
func (o *oracle) events() []string {
	var out []string
	for p, e := range o.live {
		if o.fates[p] != logdb.FateStored {
			continue
		}
		short, _ := limit.ShortenEntry(&e, o.limits)
		out = append(out, short.ContentDigest().String())
	}
	return out
}

// counts are what the cloud must say was skipped and reduced, per day. Rows that were combined
// count but for one of each interval, and so do new versions of them that the combined row has already.
func (o *oracle) counts() map[countKey]int {
	out := map[countKey]int{}
	for _, g := range o.groups {
		if g.end == 0 {
			for _, e := range g.rows[1:] {
				out[countKey{logdb.FateReduced.String(), e.Time.Day()}]++
			}
		}
	}
	for _, e := range o.journal {
		if o.fates[e.Position] == logdb.FateReduced {
			out[countKey{logdb.FateReduced.String(), e.Time.Day()}]++
		}
	}
	for _, e := range o.adds {
		if o.fates[e.Position] == logdb.FateSkipped {
			short, _ := limit.ShortenEntry(&e, o.limits)
			out[countKey{logdb.FateSkipped.String(), short.Time.Day()}]++
		}
	}
	// Counts are derived from the kept positions (system.md 4), and a revise inherits the fate of its target
	// (replication.md 3).
	for _, e := range o.revise {
		if o.fates[e.Target] == logdb.FateSkipped {
			short, _ := limit.ShortenEntry(&e, o.limits)
			out[countKey{logdb.FateSkipped.String(), short.Time.Day()}]++
		}
	}
	return out
}

// checkFates asks that every position of the journal is decided at the cloud, and as the oracle says.
func (o *oracle) checkFates(r *report, who string, there *Holding, own logdb.JournalID, c *Case, relayed bool) {
	fates := there.Fates(own)
	if c.Oversize {
		o.withoutOversize(&fates)
	}
	for _, e := range o.adds {
		have, ok := fates.At(e.Position)
		switch want := o.fates[e.Position]; {
		case o.waits[e.Position]:
		case !ok:
			r.add("undecided", "%s: position %d was never decided", who, e.Position)
		case o.kind == logdb.KindHistorical && !o.fast(e.Log):
			// A row may hold channels only that go in another cut; their values are compared apart.
			elsewhere := have.Fate == logdb.FateNotChosen && len(there.Added(own)) > 0
			if have.Fate != logdb.FateStored && have.Fate != logdb.FateReduced && !elsewhere {
				r.add("fate", "%s: position %d is %s", who, e.Position, have.Fate)
			}
		case have.Reason == sizeReason && c.Oversize:
			delete(o.live, e.Position)
		case o.kind != logdb.KindHistorical && (c.OtherLimits && !c.Requested || relayed && (c.OtherLimits || c.Requested)) && want != logdb.FateNotChosen && (have.Fate == logdb.FateStored || have.Fate == logdb.FateSkipped):
			o.fates[e.Position] = have.Fate
		case have.Fate != want:
			r.add("fate", "%s: position %d is %s (%s), want %s", who, e.Position, have.Fate, have.Reason, want)
		}
	}
	for p := range o.waits { // rows, and changes of them
		if have, ok := fates.At(p); ok {
			r.add("early", "%s: position %d is %s before its interval is closed", who, p, have.Fate)
		}
	}
}

// withoutOversize takes back the versions of records that no page could hold: they are listed as skipped, and until they
// are asked for the version before them stands.
func (o *oracle) withoutOversize(fates *logdb.FateSet) {
	var sent []logdb.Entry
	back := map[logdb.Position]bool{}
	for _, e := range slices.Concat(o.adds, o.revise) {
		if have, ok := fates.At(e.Position); ok && have.Reason == sizeReason && e.Op == logdb.OpRevise {
			back[e.Target] = true
			continue
		}
		sent = append(sent, e)
	}
	for _, v := range live(sent) {
		if _, alive := o.live[v.position]; alive && back[v.position] {
			o.live[v.position] = v.entry
		}
	}
}

// checkModel replays what a cloud answers into the reference model and compares the digests
// of both, and both with the claims.
func checkModel(ctx context.Context, r *report, who string, cloud Cloud, kind logdb.Kind, there *Holding) error {
	model := logdbtest.NewModel(logdbtest.Config{})
	for _, p := range there.Pages {
		p.Meter = cloud.UID
		// What one stream leaves to another one says nothing of the record, and no sender tells of it: a change that is replayed
		// before its record would get that fate.
		p.Fates = slices.DeleteFunc(slices.Clone(p.Fates), func(f logdb.FateRange) bool { return f.Fate == logdb.FateHeld })
		if _, err := model.Accept(ctx, p, logdb.Limits{}); err != nil {
			r.add("replay", "%s: the model refuses a page of stream %s: %v", who, p.Stream, err)
			return nil
		}
	}
	for _, st := range there.States {
		have, err := cloud.Client.Digests(ctx, cloud.UID, kind, st.Stream)
		if err != nil {
			return err
		}
		want, err := model.Digests(ctx, cloud.UID, kind, st.Stream)
		if err != nil && st.Fates.Len() == 0 && len(have) == 0 { // it was told where the journal ends, and nothing else: no page says so
			continue
		}
		if err != nil {
			r.add("replay", "%s: the model has no stream %s: %v", who, st.Stream, err)
			continue
		}
		type day struct {
			log     logdb.LogNo
			channel logdb.ChannelKey
			day     logdb.Millis
		}
		days := map[day]logdb.Tally{}
		for _, d := range want {
			days[day{d.Log, d.Channel, d.Day}] = d.Data
		}
		for _, d := range have {
			k := day{d.Log, d.Channel, d.Day}
			if d.Data != d.Claim {
				r.add("claim", "%s: stream %s, %s log %d %s: %d records, claimed %d", who, st.Stream, d.Channel, d.Log, d.Day, d.Data.Count, d.Claim.Count)
			}
			if days[k] != d.Data {
				r.add("model", "%s: stream %s, %s log %d %s: %d records, the model has %d", who, st.Stream, d.Channel, d.Log, d.Day, d.Data.Count, days[k].Count)
			}
			delete(days, k)
		}
		for k, t := range days {
			if t.Count > 0 {
				r.add("model", "%s: stream %s, %s log %d %s: nothing, the model has %d", who, st.Stream, k.channel, k.log, k.day, t.Count)
			}
		}
	}
	return nil
}
