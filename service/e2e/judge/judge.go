package judge

import (
	"context"
	"fmt"
	"math"
	"time"

	"metermanager/logdb"
	"metermanager/rpc/api"
	"metermanager/rpc/client"
	"metermanager/service/field/sim"
)

// Case is one meter, the site that reads it and the clouds that the site uploads to.
type Case struct {
	Site    *client.Client
	SiteUID logdb.MeterUID
	Zone    string // of the meter
	Clouds  []Cloud
	// Truth is what the meter recorded; nil: the site's own journal is taken as the truth.
	Truth *Truth
	// Limits are those of the upload.
	Limits logdb.Limits
	// Foreign allows the clouds to hold journals that the site does not know: of a machine that
	// was restored, cloned or reinstalled.
	Foreign bool
	// Lossy says that the meter may have lost records before this site, but not others, got them.
	Lossy bool
	// Requested says that what limits had skipped was asked for and sent.
	Requested bool
	// Oversize allows records to be skipped because no page could hold them.
	Oversize bool
	// OtherLimits says that events were decided under other limits for a while. What was decided stays
	// (replication.md 3), so that either verdict of a limit stands; what it means for the data is compared all the same.
	OtherLimits bool
	// Misread says that sites read the meter by a wrong zone or scale for a while. A journal that was given up meanwhile,
	// by a restored or reinstalled site, is not read again: it stays an alternative, and may be the one that is chosen.
	Misread bool

	zone *time.Location // Zone
}

// Cloud is a receiver with the name of the meter there.
type Cloud struct {
	Name   string
	Client *client.Client
	UID    logdb.MeterUID
	// Relayed says that another cloud passes on to this one. What a site sends on request is that receiver's alone.
	Relayed bool
}

// Problem is one thing that is wrong.
type Problem struct {
	What string // the rule that is broken
	Text string
}

// String returns both parts.
func (p Problem) String() string { return p.What + ": " + p.Text }

// report collects problems; of one rule only the first few are kept.
type report struct {
	list   []Problem
	counts map[string]int
}

const mostOfOneRule = 3

func (r *report) add(what, format string, args ...any) {
	if r.counts == nil {
		r.counts = map[string]int{}
	}
	if r.counts[what]++; r.counts[what] <= mostOfOneRule {
		r.list = append(r.list, Problem{what, fmt.Sprintf(format, args...)})
	}
}

// Stats says how much was compared.
type Stats struct{ Records, Values, Events, Lost int }

// Check compares everything and returns what is wrong. An error means that it could not be compared.
func Check(ctx context.Context, c Case) ([]Problem, Stats, error) {
	var r report
	var stats Stats
	var err error
	if c.zone, err = time.LoadLocation(c.Zone); err != nil {
		return nil, stats, fmt.Errorf("the zone of the meter: %w", err)
	}
	if c.Truth != nil {
		c.Truth.local = c.zone
	}
	for _, kind := range logdb.Kinds {
		site, err := Read(ctx, c.Site, c.SiteUID, kind)
		if err != nil {
			return nil, stats, fmt.Errorf("read the site: %w", err)
		}
		own, ok := site.Own()
		if !ok && c.Truth != nil && kind == logdb.KindHistorical {
			r.add("journal", "the site has no journal of %s", kind)
		}
		here := Cloud{Client: c.Site, UID: c.SiteUID}
		err = checkModel(ctx, &r, "the site, "+kind.String(), here, kind, &site)
		switch {
		case err != nil:
		case kind == logdb.KindHistorical:
			_, err = c.checkAnswers(ctx, &r, "the site", here, &site)
		default:
			err = checkEvents(ctx, &r, "the site, "+kind.String(), here, kind, c.zone, &site)
		}
		if err != nil {
			return nil, stats, fmt.Errorf("read the site: %w", err)
		}
		journal := site.Entries(own)
		checkPositions(&r, kind, journal)
		if c.Truth != nil {
			stats.Lost += c.Truth.check(&r, kind, journal, &stats)
		}
		for _, cloud := range c.Clouds {
			if err := checkCloud(ctx, &r, &c, cloud, kind, own, journal, &stats); err != nil {
				return nil, stats, fmt.Errorf("read %s: %w", cloud.Name, err)
			}
		}
	}
	return r.list, stats, nil
}

// checkPositions asks for positions 1, 2, 3 ... without holes.
func checkPositions(r *report, kind logdb.Kind, journal []logdb.Entry) {
	for i, e := range journal {
		if e.Position != logdb.Position(i+1) {
			r.add("positions", "%s: entry %d of the site's journal has position %d", kind, i+1, e.Position)
			return
		}
	}
}

// checkSettings compares what the cloud was told of the meter, by which it cuts days and shows values.
func checkSettings(ctx context.Context, r *report, c *Case, cloud Cloud) error {
	here, err := c.Site.Meter(ctx, c.SiteUID)
	if err != nil {
		return err
	}
	there, err := cloud.Client.Meter(ctx, cloud.UID)
	if err != nil {
		return err
	}
	told := func(s logdb.Settings) string {
		return fmt.Sprintf("%s %s, zone %s, CT %v/%v, PT %v/%v, full scale %v V %v A, logs %v", s.Model, s.Serial, s.Zone, s.CTPrimary, s.CTSecondary, s.PTPrimary, s.PTSecondary, s.VoltageFullScale, s.CurrentFullScale, s.LogIntervalsMillis)
	}
	if h, t := told(here.Settings), told(there.Settings); h != t {
		r.add("settings", "%s: the cloud says %s; the site %s", cloud.Name, t, h)
	}
	return nil
}

// checkCloud compares one kind of log at one cloud with the site's journal.
func checkCloud(ctx context.Context, r *report, c *Case, cloud Cloud, kind logdb.Kind, own logdb.JournalID, journal []logdb.Entry, stats *Stats) error {
	there, err := Read(ctx, cloud.Client, cloud.UID, kind)
	if err != nil {
		return err
	}
	who := cloud.Name + ", " + kind.String()
	if kind == logdb.KindHistorical { // once
		if err := checkSettings(ctx, r, c, cloud); err != nil {
			return err
		}
	}
	for _, st := range there.States {
		if st.Own {
			r.add("journals", "%s: the cloud made a journal of its own", who)
		} else if st.Stream.Journal != own && !c.Foreign && (kind != logdb.KindHistorical || family(st.Stream.Journal) != family(own)) {
			r.add("journals", "%s: stream %s is of nobody's journal (the site's is %s)", who, st.Stream, own)
		}
	}
	if err := checkModel(ctx, r, who, cloud, kind, &there); err != nil {
		return err
	}
	if kind == logdb.KindHistorical {
		own = there.furthest(own)
	}
	o := newOracle(c.Limits, kind, journal, c.Requested)
	o.checkFates(r, who, &there, own, c, cloud.Relayed)
	if kind == logdb.KindHistorical {
		want, have := o.points(), there.values(own)
		stats.Values += len(want)
		samePoints(r, who+", values", have, want)
		answered, err := c.checkAnswers(ctx, r, who, cloud, &there)
		if err != nil {
			return err
		}
		if !c.Foreign || !c.Lossy && !c.Misread { // else others may have what this site could not get any more, and are chosen
			samePoints(r, who+", values that a query answers", answered, want)
		}
	} else {
		want, have := o.events(), digests(live(there.Entries(own)))
		stats.Events += len(want)
		sameDigests(r, who, have, want)
		if err := checkEvents(ctx, r, who, cloud, kind, c.zone, &there); err != nil {
			return err
		}
	}
	return checkCounts(ctx, r, who, c, cloud, kind, own, o)
}

// checkAnswers compares what a node answers of historical values with what it holds, and returns all of it.
func (c *Case) checkAnswers(ctx context.Context, r *report, who string, node Cloud, held *Holding) ([]point, error) {
	answered, err := answer(ctx, node.Client, node.UID)
	if err != nil {
		return nil, err
	}
	samePoints(r, who+", values that a query chooses", answered, held.alternatives(c.Zone))
	if err := checkLatest(ctx, r, who, node, held, answered); err != nil {
		return nil, err
	}
	return answered, checkQuestions(ctx, r, who, node, c.zone, answered)
}

// checkCounts compares what the cloud says was skipped or reduced with the oracle.
func checkCounts(ctx context.Context, r *report, who string, c *Case, cloud Cloud, kind logdb.Kind, own logdb.JournalID, o *oracle) error {
	counts, err := cloud.Client.LimitCounts(ctx, cloud.UID, api.RangeQuery{To: logdb.MaxTime})
	if err != nil {
		return fmt.Errorf("ask for the limit counts: %w", err)
	}
	have := map[countKey]int{}
	for _, n := range counts {
		stream, err := logdb.ParseStream(n.Stream)
		if err != nil {
			return fmt.Errorf("read the limit counts: %w", err)
		}
		if n.Kind == kind.String() && stream.SameRecords(logdb.StreamID{Journal: own, Policy: "0"}) && (n.Reason != sizeReason || !c.Oversize) {
			have[countKey{n.Fate, n.Day}] += n.Count
		}
	}
	for k, n := range o.counts() {
		if have[k] != n {
			r.add("counts", "%s: %d %s on %s, want %d", who, have[k], k.fate, k.day, n)
		}
		delete(have, k)
	}
	for k, n := range have {
		r.add("counts", "%s: %d %s on %s, want none", who, n, k.fate, k.day)
	}
	return nil
}

// sizeReason is why a record was skipped that no page could hold.
const sizeReason = "size"

type countKey struct {
	fate string
	day  logdb.Millis
}

// historicalLogs are the numbers that the simulated meter gives its historical logs, in the
// order in which the driver numbers them.
var historicalLogs = [...]int{sim.LogHist1, sim.LogHist2, sim.LogHist3}

// historicalMillis are the intervals at which it records them, unless it is programmed anew.
var historicalMillis = [...]int64{1 * 60_000, 15 * 60_000, 5 * 60_000}

// sameReading compares an answered value with what the meter holds: readings of 32 bits by
// their bits (the driver keeps the shortest decimal that has them), scaled integers up to
// the last place of the scaling.
func sameReading(answered, recorded float64) bool {
	if float64(float32(recorded)) == recorded {
		return float32(answered) == float32(recorded)
	}
	return math.Abs(answered-recorded) <= 1e-14*math.Abs(recorded)
}

// SameSum reports whether two sums of doubles are the same but for the order in which they were made.
func SameSum(a, b float64) bool { return a == b || math.Abs(a-b) <= 1e-9*max(math.Abs(a), math.Abs(b)) }
