package judge

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"metermanager/logdb"
	"metermanager/rpc/api"
	"metermanager/rpc/client"
	"metermanager/rpc/fault"
)

// Holding is all that a node holds of one kind of log of one meter, as its web API tells.
type Holding struct {
	States []logdb.StreamState
	Pages  []logdb.Page
}

// Read asks a node for all streams of a meter and kind.
func Read(ctx context.Context, c *client.Client, uid logdb.MeterUID, kind logdb.Kind) (Holding, error) {
	var h Holding
	var err error
	if h.States, err = c.Streams(ctx, uid, kind); errors.Is(err, fault.NotFound) {
		return h, nil
	} else if err != nil {
		return h, fmt.Errorf("ask for the streams of %s: %w", kind, err)
	}
	if len(h.States) == 0 {
		return h, nil
	}
	for cursor := ""; ; {
		var out api.Pages
		if kind == logdb.KindHistorical {
			out, err = c.HistoryPages(ctx, uid, api.HistoryQuery{Cursor: cursor})
		} else {
			out, err = c.EventPages(ctx, uid, api.EventsQuery{Kind: kind, Cursor: cursor})
		}
		if err != nil {
			return h, fmt.Errorf("ask for the pages of %s: %w", kind, err)
		}
		h.Pages = append(h.Pages, out.Pages...)
		if cursor = out.Next; cursor == "" {
			return h, nil
		}
	}
}

// Own returns the id of the node's own journal.
func (h *Holding) Own() (logdb.JournalID, bool) {
	for _, st := range h.States {
		if st.Own {
			return st.Stream.Journal, true
		}
	}
	return "", false
}

// Journals lists the journals of which the node holds something.
func (h *Holding) Journals() []logdb.JournalID {
	var out []logdb.JournalID
	for _, st := range h.States {
		if !slices.Contains(out, st.Stream.Journal) {
			out = append(out, st.Stream.Journal)
		}
	}
	return out
}

// Entries returns all entries of a journal's main cut by position, rows included.
func (h *Holding) Entries(journal logdb.JournalID) []logdb.Entry {
	return h.cut(logdb.StreamID{Journal: journal, Policy: "0"})
}

// Added lists a stream of each cut of a journal beside the main one: of channels added later.
func (h *Holding) Added(journal logdb.JournalID) []logdb.StreamID {
	var out []logdb.StreamID
	for _, st := range h.States {
		if st.Stream.Journal == journal && !st.Stream.SameCut(logdb.StreamID{Journal: journal, Policy: "0"}) &&
			!slices.ContainsFunc(out, st.Stream.SameCut) {
			out = append(out, st.Stream)
		}
	}
	return out
}

// cut returns the entries of all streams of a cut by position.
func (h *Holding) cut(of logdb.StreamID) []logdb.Entry {
	var out []logdb.Entry
	for i := range h.Pages {
		p := &h.Pages[i]
		if !p.Stream.SameCut(of) {
			continue
		}
		for k := range p.Rows {
			for n := range p.Rows[k].Len() {
				out = append(out, p.Rows[k].Entry(n))
			}
		}
		out = append(out, p.Entries...)
	}
	slices.SortStableFunc(out, func(a, b logdb.Entry) int { return int(a.Position) - int(b.Position) })
	return out
}

// Fates returns the fate of every position of a journal's main cut, streams joined: what one stream calls held or
// skipped, another one may have brought.
func (h *Holding) Fates(journal logdb.JournalID) logdb.FateSet {
	var out logdb.FateSet
	for _, fate := range []logdb.Fate{logdb.FateHeld, logdb.FateNotChosen, logdb.FateSkipped, logdb.FateReduced, logdb.FateStored} {
		for _, st := range h.States {
			if !st.Stream.SameCut(logdb.StreamID{Journal: journal, Policy: "0"}) {
				continue
			}
			for _, r := range st.Fates.Ranges() {
				if r.Fate == fate {
					out.Put(r)
				}
			}
		}
	}
	return out
}

// version is a live record: where it was added, and its newest version.
type version struct {
	position logdb.Position
	entry    logdb.Entry
}

// live returns the newest versions of the records of a journal that are not withdrawn, by position.
func live(entries []logdb.Entry) []version {
	newest := map[logdb.Position]logdb.Entry{}
	var order []logdb.Position
	for _, e := range entries {
		target := e.Position
		switch e.Op {
		case logdb.OpAdd:
		case logdb.OpRevise, logdb.OpWithdraw:
			target = e.Target
		default:
			continue
		}
		if have, ok := newest[target]; !ok {
			order = append(order, target)
			newest[target] = e
		} else if have.Position < e.Position {
			newest[target] = e
		}
	}
	slices.Sort(order)
	var out []version
	for _, p := range order {
		if e := newest[p]; e.Op != logdb.OpWithdraw {
			out = append(out, version{p, e})
		}
	}
	return out
}

// point is one value of a series.
type point struct {
	channel logdb.ChannelKey
	log     logdb.LogNo
	time    logdb.Millis
	value   float64
}

func (p point) String() string {
	return fmt.Sprintf("%s log %d %s %v", p.channel, p.log, p.time, p.value)
}

func points(list []version) []point {
	var out []point
	for _, v := range list {
		for i, c := range v.entry.Row.Channels {
			out = append(out, point{c, v.entry.Log, v.entry.Time, v.entry.Row.Values[i]})
		}
	}
	return out
}

func digests(list []version) []string {
	var out []string
	for _, v := range list {
		out = append(out, v.entry.ContentDigest().String())
	}
	return out
}

// answer asks for all historical values as people do.
func answer(ctx context.Context, c *client.Client, uid logdb.MeterUID) ([]point, error) {
	var out []point
	for log := range logdb.LogNo(len(historicalLogs)) {
		for cursor := ""; ; {
			h, err := c.History(ctx, uid, api.HistoryQuery{Log: &log, Cursor: cursor})
			if err != nil {
				return nil, fmt.Errorf("query historical values: %w", err)
			}
			for col, column := range h.Columns {
				for i, v := range h.Values[col] {
					if v == v { // absent values are NaN
						out = append(out, point{column.Key, log, h.Times[i], v})
					}
				}
			}
			if cursor = h.Next; cursor == "" {
				break
			}
		}
	}
	return out, nil
}

func samePoints(r *report, what string, have, want []point) {
	diff(r, what, have, want, func(p point) point { return p })
}

func sameDigests(r *report, what string, have, want []string) {
	diff(r, what, have, want, func(s string) string { return s })
}

// diff compares two lists as multisets.
func diff[T any, K comparable](r *report, what string, have, want []T, key func(T) K) {
	left := map[K]int{}
	for _, w := range want {
		left[key(w)]++
	}
	for _, h := range have {
		left[key(h)]--
	}
	missing, extra := 0, 0
	var example string
	for k, n := range left {
		if n > 0 {
			missing += n
			example = fmt.Sprintf("missing %v", k)
		}
		if n < 0 {
			extra -= n
			if missing == 0 {
				example = fmt.Sprintf("too many %v", k)
			}
		}
	}
	if missing+extra > 0 {
		r.add(what, "%d there, want %d: %d missing, %d too many; %s", len(have), len(want), missing, extra, example)
	}
}
