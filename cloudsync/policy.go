package cloudsync

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"metermanager/cloudsync/reduce"
	"metermanager/logdb"
)

// wanted returns the policy that the destination's settings ask for now, with the limits of the kind alone: another limit of
// events is no reason to begin the rows anew, and with them the intervals that are not closed yet.
func (s *Service) wanted(ctx context.Context, d Destination, kind logdb.Kind, settings logdb.Settings, j *journal) (reduce.Policy, error) {
	p := reduce.Policy{Limits: d.limits().Only(kind)}
	if kind != logdb.KindHistorical {
		return p, nil
	}
	p.Channels = slices.Clone(d.Channels)
	slow, err := s.slowLogs(ctx, settings, p.Limits, j)
	if err != nil {
		return p, err
	}
	p.Slow = slow
	return p, nil
}

// slowLogs returns the logs whose rows lie at least a reduction interval apart: as the meter's settings
// say, or, where they say nothing, as the first rows of the journal show.
func (s *Service) slowLogs(ctx context.Context, settings logdb.Settings, limits logdb.Limits, j *journal) ([]logdb.LogNo, error) {
	var out []logdb.LogNo
	known := map[logdb.LogNo]bool{}
	for log, interval := range settings.LogIntervalsMillis {
		if interval > 0 {
			known[logdb.LogNo(log)] = true
			if interval >= limits.HistoricalIntervalMillis {
				out = append(out, logdb.LogNo(log))
			}
		}
	}
	steps, err := s.firstSteps(ctx, j)
	if err != nil {
		return nil, err
	}
	for log, step := range steps {
		if !known[log] && int64(step) >= limits.HistoricalIntervalMillis {
			out = append(out, log)
		}
	}
	slices.Sort(out)
	return out, nil
}

// firstRows are how far the rows of the logs of a journal lie apart, by its first ones.
type firstRows struct {
	journal logdb.JournalID
	steps   map[logdb.LogNo]logdb.Millis
}

// firstSteps returns how far the rows of each log lie apart, as the first rows of the journal show. What a journal begins with
// does not change, so it is read once there are enough of them.
func (s *Service) firstSteps(ctx context.Context, j *journal) (map[logdb.LogNo]logdb.Millis, error) {
	s.mu.Lock()
	known, ok := s.first[j.meter]
	s.mu.Unlock()
	if ok && known.journal == j.id {
		return known.steps, nil
	}
	const enough = 256
	first, err := j.Entries(ctx, 1, enough)
	if err != nil {
		return nil, err
	}
	times := map[logdb.LogNo][]logdb.Millis{}
	for _, e := range first {
		if e.Row != nil && e.Op == logdb.OpAdd {
			times[e.Log] = append(times[e.Log], e.Time)
		}
	}
	out := map[logdb.LogNo]logdb.Millis{}
	for log, list := range times {
		var steps []logdb.Millis
		for i := 1; i < len(list); i++ {
			steps = append(steps, list[i]-list[i-1])
		}
		slices.Sort(steps)
		if len(steps) >= 3 {
			out[log] = steps[len(steps)/2]
		}
	}
	if len(first) == enough {
		s.mu.Lock()
		s.first[j.meter] = firstRows{j.id, out}
		s.mu.Unlock()
	}
	return out, nil
}

// keep returns the policy to go on with: what the settings say nothing about stays as it
// was, so that a guess does not open one generation after the other.
func keep(old, next reduce.Policy, settings logdb.Settings) reduce.Policy {
	for _, log := range old.Slow {
		i := int(log)
		said := i < len(settings.LogIntervalsMillis) && settings.LogIntervalsMillis[i] > 0
		if !said && !slices.Contains(next.Slow, log) {
			next.Slow = append(next.Slow, log)
		}
	}
	slices.Sort(next.Slow)
	return next
}

// cutOf gathers the streams of one cut, oldest first.
func cutOf(streams []*StoredStream, cut string) (*reduce.Cut, []*StoredStream) {
	var parts []*reduce.Stream
	var stored []*StoredStream
	for _, st := range streams {
		if st.Cut() == cut {
			parts = append(parts, &st.Stream)
			stored = append(stored, st)
		}
	}
	return reduce.NewCut(parts...), stored
}

// cutNames lists the cuts of streams, the main one first.
func cutNames(streams []*StoredStream) []string {
	out := []string{""}
	for _, st := range streams {
		if !slices.Contains(out, st.Cut()) {
			out = append(out, st.Cut())
		}
	}
	return out
}

// highestGeneration returns the highest policy number and cut number in use, here and at the receiver.
func highestGeneration(journal logdb.JournalID, streams []*StoredStream, ended []EndedStream, there []logdb.StreamState) (generation, cut int) {
	note := func(policy string) {
		g, c, _ := strings.Cut(policy, "+")
		if n, err := strconv.Atoi(g); err == nil {
			generation = max(generation, n)
		}
		if n, err := strconv.Atoi(c); err == nil {
			cut = max(cut, n)
		}
	}
	for _, st := range streams {
		note(st.ID.Policy)
	}
	for i := range ended {
		note(ended[i].ID.Policy)
	}
	for _, st := range there {
		if st.Stream.Journal == journal {
			note(st.Stream.Policy)
		}
	}
	return generation, cut
}

// open makes the stream of the next generation. The streams that the receiver has and we do not know any
// more (our own records were lost) come first, as they are: what they decided stays decided.
func (u *upload) open(policy reduce.Policy, added ...reduce.Policy) []*StoredStream {
	var out []*StoredStream
	generation, cut := highestGeneration(u.name, slices.Concat(u.streams, u.others), u.ended, u.there)
	var state reduce.State
	if n := len(u.main); n > 0 {
		last := u.main[n-1]
		state = reduce.State{Next: last.State.Next, From: last.State.From}
	} else {
		for _, st := range u.unknown() {
			if st.Stream.Journal != u.name || strings.Contains(st.Stream.Policy, "+") {
				continue
			}
			p := policy
			p.Generation = st.Stream.Policy
			lost := &StoredStream{Stream: reduce.Stream{ID: st.Stream, Policy: p, Fates: st.Fates.Clone(), Closed: max(st.Fates.Highest(), 1)}}
			lost.End, lost.Chain = u.head.End, u.head.Chain
			out = append(out, lost)
		}
	}
	policy.Generation = strconv.Itoa(generation + 1)
	out = append(out, u.stream(policy, state))
	for i, p := range added {
		p.Generation = fmt.Sprintf("%d+%d", generation+1, cut+1+i)
		out = append(out, u.stream(p, reduce.State{}))
	}
	return out
}

// unknown lists the streams of the journal that the receiver has, under any name, and this node does not know (any more).
func (u *upload) unknown() (out []logdb.StreamState) {
	for _, st := range u.there {
		if st.Stream.Journal.Family() != u.head.ID.Family() || st.Own {
			continue
		}
		if !slices.ContainsFunc(u.others, func(o *StoredStream) bool { return o.ID == st.Stream }) { // else it came by another way
			out = append(out, st)
		}
	}
	return out
}

func (u *upload) stream(p reduce.Policy, state reduce.State) *StoredStream {
	return &StoredStream{
		Stream: reduce.Stream{ID: logdb.StreamID{Journal: u.name, Policy: p.Generation}, Policy: p},
		State:  state, End: u.head.End, Chain: u.head.Chain,
	}
}
