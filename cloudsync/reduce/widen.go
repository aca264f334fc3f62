package reduce

import (
	"slices"

	"metermanager/logdb"
)

// Widen returns the policies of the streams that must be opened beside the main one when a
// journal goes on under next: they carry the channels that the last main stream left out, for
// the positions that no main stream carried them at. main is all main streams, oldest first, the
// last one closed just now. Whatever was carried once, before the channels were narrowed, is at
// the receiver and must not go there again in another stream: it would be a second record.
func Widen(main []*Stream, next Policy) []Policy {
	last := main[len(main)-1]
	channels, except, ok := last.Policy.Added(next)
	if !ok {
		return nil
	}
	left := chosen(channels, except)
	var out []Policy
	open := func(s selection, from logdb.Position) {
		if s.none() || from > last.Closed {
			return
		}
		p := next
		p.Channels, p.Except = s.lists()
		p.From, p.Until = from, last.Closed
		out = append(out, p)
	}
	for i := len(main) - 2; i >= 0 && !left.none(); i-- {
		had := left.and(chosen(main[i].Policy.Channels, main[i].Policy.Except))
		open(had, main[i].Closed+1)
		left = left.and(had.not())
	}
	open(left, 0)
	return out
}

// selection is a set of channels: those listed, or all but those listed.
type selection struct {
	but  bool
	list []logdb.ChannelKey
}

// chosen is the set of a policy's two lists.
func chosen(channels, except []logdb.ChannelKey) selection {
	s := selection{but: true, list: except}
	if channels != nil {
		s = selection{list: channels}.and(s)
	}
	return s
}

func (s selection) none() bool { return !s.but && len(s.list) == 0 }

func (s selection) not() selection { return selection{!s.but, s.list} }

func (s selection) has(c logdb.ChannelKey) bool { return slices.Contains(s.list, c) != s.but }

func (s selection) and(o selection) selection {
	switch {
	case s.but && o.but:
		return selection{true, sorted(slices.Concat([]logdb.ChannelKey{}, s.list, o.list))}
	case s.but:
		s, o = o, s
	}
	out := selection{list: []logdb.ChannelKey{}}
	for _, c := range s.list {
		if o.has(c) {
			out.list = append(out.list, c)
		}
	}
	return out
}

// lists returns the two lists of a policy.
func (s selection) lists() (channels, except []logdb.ChannelKey) {
	if s.but {
		return nil, s.list
	}
	return s.list, nil
}
