package api

import (
	"fmt"
	"strconv"

	"metermanager/logdb"
)

// positions reads [[first,last],...] and returns the ranges with the number of positions in
// them. Ranges need not rise among each other in events; rows demand it later.
func (s *scan) positions(limit int) (out [][2]logdb.Position, count int) {
	s.array("an array of position ranges", func(n, off int) {
		var r [2]logdb.Position
		s.array("a range [first, last]", func(i, at int) {
			if i > 1 {
				s.shape(at, "a range has two numbers")
				return
			}
			r[i] = s.position("a position")
		})
		switch {
		case s.err != nil:
		case r[0] == 0 || r[1] < r[0]:
			s.shape(off, "a range must go from its first to its last position")
		case len(out) > 0 && r[0] <= out[len(out)-1][1]:
			s.shape(off, "positions must rise")
		case uint64(r[1]-r[0]) >= uint64(limit-count):
			s.fail(off, RefusedLimit, fmt.Sprintf("more than %d positions", limit))
		default:
			count += int(r[1]-r[0]) + 1
			out = append(out, r)
		}
	})
	return out, count
}

func (s *scan) position(what string) logdb.Position {
	return logdb.Position(s.integer(what, 0, int64(logdb.MaxPosition)))
}

func (s *scan) millis(what string) logdb.Millis {
	return logdb.Millis(s.integer(what, int64(logdb.MinTime), int64(logdb.MaxTime)))
}

// fates reads a list of fate ranges. They must rise, which keeps checking them cheap.
func (s *scan) fates() []logdb.FateRange {
	var out []logdb.FateRange
	s.array("an array of fates", func(n, off int) {
		if n >= s.lim.Fates {
			s.fail(off, RefusedLimit, fmt.Sprintf("more than %d fates", s.lim.Fates))
			return
		}
		f, have := s.fate()
		want := 5
		if f.Fate == logdb.FateSkipped || f.Fate == logdb.FateReduced {
			want = 6
		}
		switch {
		case s.err != nil:
		case have != want && (want == 6 || have != 3):
			s.shape(off, "a fate is [first, last, word, ...] with the times of its first and last record")
		case f.First == 0 || f.Last < f.First || len(out) > 0 && f.First <= out[len(out)-1].Last:
			s.shape(off, "the positions of fates must rise")
		default:
			out = append(out, f)
		}
	})
	return out
}

// fate reads one array and tells how many elements it had.
func (s *scan) fate() (f logdb.FateRange, have int) {
	s.array("a fate [first, last, word, ...]", func(i, at int) {
		have = i + 1
		if i >= 3 && f.Fate != logdb.FateSkipped && f.Fate != logdb.FateReduced {
			i++ // no fourth element
		}
		switch i {
		case 0:
			f.First = s.position("the first position")
		case 1:
			f.Last = s.position("the last position")
		case 2:
			word := s.str("a fate")
			if s.err == nil {
				var err error
				if f.Fate, err = logdb.ParseFate(word); err != nil {
					s.shape(at, "a fate must be stored, reduced, skipped, not_chosen or held")
				}
			}
		case 3:
			if f.Fate == logdb.FateReduced {
				f.Into = s.position("the position that a row is reduced into")
			} else {
				f.Reason = s.str("a reason")
			}
		case 4:
			f.FirstTime = s.millis("the first time")
		case 5:
			f.LastTime = s.millis("the last time")
		default:
			s.shape(at, "a fate has at most six elements")
		}
	})
	return f, have
}

func parseFates(b []byte) (Fates, error) {
	s := newScan(b, ScanLimits{})
	if s.peek() == 'n' && s.null(false) {
		return nil, s.done()
	}
	out := s.fates()
	if err := s.done(); err != nil {
		return nil, err
	}
	return out, nil
}

func appendFates(b []byte, fates []logdb.FateRange) []byte {
	b = append(b, '[')
	for i, f := range fates {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, '[')
		b = appendPosition(b, f.First)
		b = append(b, ',')
		b = appendPosition(b, f.Last)
		b = append(b, `,"`...)
		b = append(b, f.Fate.String()...)
		b = append(b, '"')
		times := f.FirstTime != 0 || f.LastTime != 0
		switch f.Fate {
		case logdb.FateSkipped:
			b = AppendString(append(b, ','), f.Reason)
			times = true
		case logdb.FateReduced:
			b = appendPosition(append(b, ','), f.Into)
			times = true
		}
		if times {
			b = appendMillis(append(b, ','), f.FirstTime)
			b = appendMillis(append(b, ','), f.LastTime)
		}
		b = append(b, ']')
	}
	return append(b, ']')
}

// appendPositions writes [[first,last],...], joining neighbours.
func appendPositions(b []byte, n int, at func(int) logdb.Position) []byte {
	b = append(b, '[')
	for i := 0; i < n; {
		j := i
		for j+1 < n && at(j+1) == at(j)+1 {
			j++
		}
		if i > 0 {
			b = append(b, ',')
		}
		b = appendPosition(append(b, '['), at(i))
		b = appendPosition(append(b, ','), at(j))
		b = append(b, ']')
		i = j + 1
	}
	return append(b, ']')
}

func appendPosition(b []byte, p logdb.Position) []byte { return strconv.AppendUint(b, uint64(p), 10) }

func appendMillis(b []byte, m logdb.Millis) []byte { return strconv.AppendInt(b, int64(m), 10) }
