package reduce_test

import (
	"fmt"
	"strings"
	"testing"

	"metermanager/cloudsync/reduce"
	"metermanager/logdb"
)

// Each channel goes once for each position, however often the choice of channels is narrowed
// and widened.
func TestWidenCarriesEachChannelOnce(t *testing.T) {
	t.Parallel()
	const all = "*"
	policy := func(text string) (p reduce.Policy) {
		if text != all {
			for c := range strings.SplitSeq(text, " ") {
				p.Channels = append(p.Channels, logdb.ChannelKey(c))
			}
		}
		return p
	}
	for _, tt := range []struct{ name, history string }{
		{"narrowed and widened", "*,a,*"},
		{"never narrowed for a record", "*,a,,*"},
		{"twice", "*,a,*,b,*"},
		{"changed over", "a,b,a b"},
		{"one by one", "a,a b,*"},
		{"step by step", "*,a b,a,a b,*"},
		{"back and forth", "a,*,b c,c,a,*"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			carried := map[string]int{}
			note := func(p reduce.Policy, from, until logdb.Position) {
				for at := max(from, 1); at <= until; at++ {
					for _, c := range []logdb.ChannelKey{"a", "b", "c", "d"} {
						if p.Carries(c) {
							carried[fmt.Sprintf("%s at %d", c, at)]++
						}
					}
				}
			}
			var main []*reduce.Stream
			var end logdb.Position
			for text := range strings.SplitSeq(tt.history, ",") {
				if text == "" { // the last choice is undone before anything is recorded
					end -= 10
					main[len(main)-1].Closed = end
					continue
				}
				next := policy(text)
				if len(main) > 0 {
					for _, p := range reduce.Widen(main, next) {
						note(p, p.From, p.Until)
					}
				}
				end += 10
				main = append(main, &reduce.Stream{Policy: next, Closed: end})
			}
			for i, s := range main {
				from := logdb.Position(1)
				if i > 0 {
					from = main[i-1].Closed + 1
				}
				note(s.Policy, from, s.Closed)
			}
			last := main[len(main)-1].Policy
			for at := logdb.Position(1); at <= end; at++ {
				for _, c := range []logdb.ChannelKey{"a", "b", "c", "d"} {
					n := carried[fmt.Sprintf("%s at %d", c, at)]
					if n > 1 || n == 0 && last.Carries(c) {
						t.Errorf("%s at %d is carried %d times", c, at, n)
					}
				}
			}
		})
	}
}
