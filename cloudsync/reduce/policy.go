package reduce

import (
	"reflect"
	"slices"

	"metermanager/logdb"
)

// Policy says what of a journal a stream carries. It never changes while the stream is
// open: another policy is another generation.
type Policy struct {
	// Generation is the policy's part of the stream's name: "1", "2", or "2+1" for a stream that
	// carries only channels added later.
	Generation string `json:"generation"`
	// Channels are the historical channels that are carried; nil means all, but for Except.
	Channels []logdb.ChannelKey `json:"channels,omitempty"`
	Except   []logdb.ChannelKey `json:"except,omitempty"`
	// Limits are the limitor's numbers. HistoricalIntervalMillis is the reduction interval.
	Limits logdb.Limits `json:"limits"`
	// Slow lists the historical logs whose rows lie at least one reduction interval apart. Their rows
	// travel at once; the rows of other logs wait until their interval is closed.
	Slow []logdb.LogNo `json:"slow,omitempty"`
	// From bounds the adds of a stream of channels added later: rows before it went with those
	// channels in an earlier main stream, before they were left out.
	From logdb.Position `json:"from,omitempty"`
	// Until bounds the adds of a stream of channels added later: rows beyond it carry
	// those channels in the main stream already.
	Until logdb.Position `json:"until,omitempty"`
}

// SameRules reports whether both policies carry the same things, whatever they are called.
func (p Policy) SameRules(o Policy) bool {
	p.Generation, o.Generation = "", ""
	return reflect.DeepEqual(p.normal(), o.normal())
}

// SameChannels reports whether both policies carry the same historical channels.
func (p Policy) SameChannels(o Policy) bool {
	p, o = p.normal(), o.normal()
	return slices.Equal(p.Channels, o.Channels) && (p.Channels == nil) == (o.Channels == nil) && slices.Equal(p.Except, o.Except)
}

// SameRows reports whether both policies make the same rows of a journal: of the same channels, combined alike. Between others a position
// names something else, so that they do not travel under one name.
func (p Policy) SameRows(o Policy) bool {
	return p.SameChannels(o) && p.Limits.HistoricalIntervalMillis == o.Limits.HistoricalIntervalMillis && slices.Equal(p.normal().Slow, o.normal().Slow)
}

func (p Policy) normal() Policy {
	p.Channels = sorted(p.Channels)
	p.Except = sorted(p.Except)
	p.Slow = slices.Sorted(slices.Values(p.Slow))
	if len(p.Slow) == 0 {
		p.Slow = nil
	}
	return p
}

func sorted(keys []logdb.ChannelKey) []logdb.ChannelKey {
	if keys == nil {
		return nil
	}
	out := slices.Clone(keys)
	slices.Sort(out)
	return slices.Compact(out)
}

// Carries reports whether channel is among those carried.
func (p *Policy) Carries(channel logdb.ChannelKey) bool {
	return (p.Channels == nil || slices.Contains(p.Channels, channel)) && !slices.Contains(p.Except, channel)
}

// all reports whether every channel is carried.
func (p *Policy) all() bool { return p.Channels == nil && len(p.Except) == 0 }

// within reports whether the rows added at position are this policy's.
func (p *Policy) within(position logdb.Position) bool {
	return position >= p.From && (p.Until == 0 || position <= p.Until)
}

func (p *Policy) slow(log logdb.LogNo) bool { return slices.Contains(p.Slow, log) }

func (p *Policy) step() logdb.Millis { return logdb.Millis(p.Limits.HistoricalIntervalMillis) }

// SameInterval reports whether rows of a log at two times would be combined.
func (p *Policy) SameInterval(log logdb.LogNo, a, b logdb.Millis) bool {
	step := p.step()
	switch {
	case step <= 0:
		return false
	case p.slow(log):
		return a.Floor(step) == b.Floor(step)
	}
	return bucketEnd(a, step) == bucketEnd(b, step)
}

// choose returns the carried part of row, nil when nothing remains. Where all channels are carried, a row without
// values is too: a change may give it some.
func (p *Policy) choose(row *logdb.Row) *logdb.Row {
	if row == nil || p.all() {
		return row
	}
	out := &logdb.Row{}
	for i, c := range row.Channels {
		if p.Carries(c) {
			out.Channels = append(out.Channels, c)
			out.Values = append(out.Values, row.Values[i])
		}
	}
	if len(out.Channels) == 0 {
		return nil
	}
	return out
}

// Added returns what next carries and p does not, as a list to choose and a list to leave
// out; ok is false when there is nothing.
func (p Policy) Added(next Policy) (channels, except []logdb.ChannelKey, ok bool) {
	switch {
	case p.Channels == nil && len(p.Except) == 0:
		return nil, nil, false
	case next.Channels == nil && p.Channels != nil:
		except = slices.Concat(next.Except, p.Channels)
		slices.Sort(except)
		return nil, slices.Compact(except), true
	case next.Channels == nil:
		for _, c := range p.Except {
			if next.Carries(c) {
				channels = append(channels, c)
			}
		}
	default:
		for _, c := range next.Channels {
			if next.Carries(c) && !p.Carries(c) {
				channels = append(channels, c)
			}
		}
	}
	return channels, nil, len(channels) > 0
}
