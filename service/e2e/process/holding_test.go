//go:build unix

package process_test

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"metermanager/logdb"
	"metermanager/logdb/logdbtest"
	"metermanager/rpc/api"
	"metermanager/rpc/client"
)

// holding is all that a node holds of the meter, read by the web API.
type holding struct {
	who   string
	c     *client.Client
	meter logdb.MeterUID
	kinds map[logdb.Kind]*kindHolding
}

// kindHolding is one kind of log at a node.
type kindHolding struct {
	pages   []logdb.Page
	states  []logdb.StreamState
	entries map[logdb.StreamID]map[logdb.Position]logdb.Entry // with dead versions
}

// hold reads a node of which nobody has told of another meter.
func hold(ctx context.Context, n *node) (*holding, error) { return holdMeter(ctx, n, "") }

// holdMeter reads what a node has of a meter; "": of the only one.
func holdMeter(ctx context.Context, n *node, uid logdb.MeterUID) (*holding, error) {
	c, err := n.client()
	if err != nil {
		return nil, err
	}
	defer c.Close()
	meters, err := c.Meters(ctx)
	if err != nil {
		return nil, fmt.Errorf("list the meters of the %s: %w", n.name, err)
	}
	if uid == "" {
		if len(meters) != 1 {
			return nil, fmt.Errorf("the %s has %d meters, there is one", n.name, len(meters))
		}
		uid = meters[0].UID
	}
	h := &holding{who: n.name, c: c, meter: uid, kinds: map[logdb.Kind]*kindHolding{}}
	for _, kind := range logdb.Kinds {
		k := &kindHolding{entries: map[logdb.StreamID]map[logdb.Position]logdb.Entry{}}
		// The sets first: what comes between is in the pages and not missed.
		if k.states, err = c.Streams(ctx, h.meter, kind); err != nil {
			return nil, fmt.Errorf("read the sets of %s at the %s: %w", kind, n.name, err)
		}
		if k.pages, err = pagesOf(ctx, c, h.meter, kind); err != nil {
			return nil, fmt.Errorf("read %s at the %s: %w", kind, n.name, err)
		}
		for i := range k.pages {
			k.add(&k.pages[i])
		}
		h.kinds[kind] = k
	}
	return h, nil
}

func pagesOf(ctx context.Context, c *client.Client, meter logdb.MeterUID, kind logdb.Kind) (out []logdb.Page, err error) {
	for cursor := ""; ; {
		var a api.Pages
		if kind == logdb.KindHistorical {
			a, err = c.HistoryPages(ctx, meter, api.HistoryQuery{Cursor: cursor})
		} else {
			a, err = c.EventPages(ctx, meter, api.EventsQuery{Kind: kind, Cursor: cursor})
		}
		if err != nil {
			return nil, err
		}
		out = append(out, a.Pages...)
		if cursor = a.Next; cursor == "" {
			return out, nil
		}
	}
}

func (k *kindHolding) add(p *logdb.Page) {
	m := k.entries[p.Stream]
	if m == nil {
		m = map[logdb.Position]logdb.Entry{}
		k.entries[p.Stream] = m
	}
	for i := range p.Rows {
		for n := range p.Rows[i].Len() {
			e := p.Rows[i].Entry(n)
			m[e.Position] = e
		}
	}
	for _, e := range p.Entries {
		m[e.Position] = e
	}
}

// own returns the entries of the node's own journal in order, and the journal's stream.
func (k *kindHolding) own() (logdb.StreamState, []logdb.Entry) {
	for _, s := range k.states {
		if s.Own {
			return s, sorted(k.entries[s.Stream])
		}
	}
	return logdb.StreamState{}, nil
}

func sorted(m map[logdb.Position]logdb.Entry) []logdb.Entry {
	out := make([]logdb.Entry, 0, len(m))
	for _, e := range m {
		out = append(out, e)
	}
	slices.SortFunc(out, func(a, b logdb.Entry) int { return cmp.Compare(a.Position, b.Position) })
	return out
}

// live returns the newest version of every record, by the position of its add.
func live(entries []logdb.Entry) []logdb.Entry {
	newest := map[logdb.Position]logdb.Entry{}
	for _, e := range entries {
		switch e.Op {
		case logdb.OpAdd:
			if _, ok := newest[e.Position]; !ok {
				newest[e.Position] = e
			}
		case logdb.OpRevise, logdb.OpWithdraw:
			newest[e.Target] = e
		}
	}
	for p, e := range newest {
		if e.Op == logdb.OpWithdraw {
			delete(newest, p)
		}
	}
	return sorted(newest)
}

// replays plays the pages of a node into the reference model and compares sets and digests.
func (h *holding) replays(ctx context.Context) error {
	for kind, k := range h.kinds {
		m := logdbtest.NewModel(logdbtest.Config{})
		for _, p := range k.pages {
			p.Meter = h.meter
			if _, err := m.Accept(ctx, p, logdb.Limits{}); err != nil {
				return fmt.Errorf("%s of the %s cannot be replayed: %w", kind, h.who, err)
			}
		}
		states, err := m.Streams(ctx, h.meter, kind)
		if err != nil {
			return err
		}
		for _, s := range k.states {
			i := slices.IndexFunc(states, func(o logdb.StreamState) bool { return o.Stream == s.Stream })
			if i < 0 {
				if s.Fates.Len() > 0 {
					return fmt.Errorf("%s of the %s: no page of stream %s, which has %d positions", kind, h.who, s.Stream, s.Fates.Len())
				}
				continue
			}
			if err := sameFates(&s.Fates, &states[i].Fates); err != nil {
				return fmt.Errorf("%s of the %s, stream %s: %w", kind, h.who, s.Stream, err)
			}
		}
	}
	return nil
}

// sameFates compares what a set decided with what the pages, read a little later, say.
func sameFates(set, pages *logdb.FateSet) error {
	for _, r := range set.Ranges() {
		for p := r.First; p <= r.Last; p++ {
			have, ok := pages.At(p)
			if !ok || have.Fate != r.Fate || have.Into != r.Into {
				return fmt.Errorf("position %d is %s in the set and %s in the pages", p, r.Fate, have.Fate)
			}
		}
	}
	return nil
}
