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
	limits logdb.Limits
	kind   logdb.Kind
	live   map[logdb.Position]logdb.Entry // newest versions that are not withdrawn
	adds   []logdb.Entry
	revise []logdb.Entry
	fates  map[logdb.Position]logdb.Fate // of adds
	groups [][]logdb.Entry               // rows of one minute, historical only
}

func newOracle(limits logdb.Limits, kind logdb.Kind, journal []logdb.Entry, requested bool) *oracle {
	o := &oracle{limits: limits, kind: kind, live: map[logdb.Position]logdb.Entry{}, fates: map[logdb.Position]logdb.Fate{}}
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

// reduce gathers the rows of each minute of a run: they travel as one row. All logs of the
// simulated meter are logged once a minute or less often, so that minutes begin on the full minute.
func (o *oracle) reduce() {
	type minute struct {
		log             logdb.LogNo
		run, generation uint32
		at              logdb.Millis
	}
	at := map[minute]int{}
	for _, e := range o.adds {
		m := minute{e.Log, e.Run, e.Generation, e.Time.Floor(logdb.Millis(o.limits.HistoricalIntervalMillis))}
		i, ok := at[m]
		if !ok {
			i = len(o.groups)
			at[m] = i
			o.groups = append(o.groups, nil)
		}
		o.groups[i] = append(o.groups[i], e)
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
	for _, rows := range o.groups {
		var alive []logdb.Entry
		for _, e := range rows {
			if v, ok := o.live[e.Position]; ok {
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
		for _, c := range channels {
			out = append(out, point{c, rows[0].Log, at, combine(c, alive)})
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
// count but for one of each minute.
func (o *oracle) counts() map[countKey]int {
	out := map[countKey]int{}
	for _, rows := range o.groups {
		for _, e := range rows[1:] {
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
		case !ok:
			r.add("undecided", "%s: position %d was never decided", who, e.Position)
		case o.kind == logdb.KindHistorical:
			// A row may hold channels only that go in another cut; their values are compared apart.
			elsewhere := have.Fate == logdb.FateNotChosen && len(there.Added(own)) > 0
			if have.Fate != logdb.FateStored && have.Fate != logdb.FateReduced && !elsewhere {
				r.add("fate", "%s: position %d is %s", who, e.Position, have.Fate)
			}
		case have.Reason == sizeReason && c.Oversize:
			delete(o.live, e.Position)
		case (c.OtherLimits || relayed && c.Requested) && want != logdb.FateNotChosen && (have.Fate == logdb.FateStored || have.Fate == logdb.FateSkipped):
			o.fates[e.Position] = have.Fate
		case have.Fate != want:
			r.add("fate", "%s: position %d is %s (%s), want %s", who, e.Position, have.Fate, have.Reason, want)
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
