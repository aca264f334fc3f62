package cloudsync_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"metermanager/cloudsync"
	"metermanager/logdb"
	"metermanager/logdb/analysis"
	"metermanager/logdb/logdbtest"
	"metermanager/rpc/fault"
)

// life is the random life of a site with two clouds that are told to send other channels again and again, whose rows are moved in
// time, and which lets go of old values.
type life struct {
	*site
	rng    *rand.Rand
	clouds map[string]*fakeCloud
	rows   []*lived
	gone   logdb.Millis // the values of rows before that are let go
	clock  logdb.Millis
	trace  []string
}

// lived is a row as it is at present, or was when its values were let go.
type lived struct {
	position logdb.Position
	at       logdb.Millis
	value    float64 // of the first channel; the others follow from it
	live     bool
	gone     bool
}

const hour = logdb.Millis(3_600_000)

func (l *life) note(format string, args ...any) {
	l.trace = append(l.trace, fmt.Sprintf(format, args...))
}

func (l *life) row(v float64) *logdb.Row {
	r := &logdb.Row{Channels: channels}
	for c := range channels {
		r.Values = append(r.Values, v+float64(c)*1e6)
	}
	return r
}

// grow appends rows.
func (l *life) grow() {
	n := 10 + l.rng.IntN(70)
	var h logdb.History
	h.Channels, h.Columns = channels, make([][]float64, len(channels))
	for range n {
		l.clock += 60_000 * logdb.Millis(1+l.rng.IntN(3))
		v := float64(len(l.rows) + 1)
		h.Times = append(h.Times, l.clock)
		for c, x := range l.row(v).Values {
			h.Columns[c] = append(h.Columns[c], x)
		}
		l.rows = append(l.rows, &lived{at: l.clock, value: v, live: true})
	}
	a, err := l.logs.Append(l.t.Context(), logdb.Batch{Meter: meter, Kind: logdb.KindHistorical, Rows: []logdb.History{h}})
	if err != nil {
		l.t.Fatal(err)
	}
	for i := range n {
		l.rows[len(l.rows)-n+i].position = a.First + logdb.Position(i)
	}
	l.note("%d rows at %d, now %s", n, a.First, l.clock)
}

// move puts the times of a run of rows right, as decoding again does, or withdraws them.
func (l *life) move() {
	if len(l.rows) == 0 {
		return
	}
	first := l.rng.IntN(len(l.rows))
	if i := slices.IndexFunc(l.rows, func(r *lived) bool { return r.live && !r.gone }); i >= 0 && l.rng.IntN(2) == 0 {
		first = i // right behind what is gone
	}
	last := min(len(l.rows), first+1+l.rng.IntN(90))
	by := hour * logdb.Millis(l.rng.IntN(11)-5)
	withdraw := l.rng.IntN(5) == 0
	var list []logdb.Entry
	for _, r := range l.rows[first:last] {
		if r.gone || !r.live || r.at+by < l.gone || withdraw && r.position%8 == 0 { // a stream without a live row says nothing of what it had
			continue
		}
		e := logdb.Entry{Op: logdb.OpRevise, Target: r.position, Time: r.at + by, Row: l.row(r.value)}
		if r.at += by; withdraw {
			e.Op, e.Row, r.live = logdb.OpWithdraw, nil, false
		}
		list = append(list, e)
	}
	if len(list) > 0 {
		l.entries(logdb.KindHistorical, list...)
		l.note("%d rows from %d on, by %d h, withdrawn %v", len(list), list[0].Target, by/hour, withdraw)
	}
}

// letGo lets the site keep nothing of rows before a time, once both clouds have them.
func (l *life) letGo() {
	l.settle()
	l.gone = max(l.gone, start+hour*logdb.Millis(l.rng.Int64N(int64((l.clock-start)/hour+1))))
	gone := map[logdb.Position]bool{}
	for _, r := range l.rows {
		if r.live && r.at < l.gone {
			r.gone = true
		}
		gone[r.position] = r.gone
	}
	l.logs.(*aged).gone = func(p logdb.Position) bool { return gone[p] }
	l.note("lets go of what is before %s", l.gone)
}

func (l *life) choose(name string) {
	var set []string
	for c := 1; c < len(channels); c++ {
		if l.rng.IntN(2) == 0 {
			set = append(set, string(channels[c]))
		}
	}
	value := strings.Join(append(set, string(channels[0])), ",")
	if l.rng.IntN(4) == 0 {
		value = "*"
	}
	if err := l.sync.For(name).Set(l.t.Context(), cloudsync.SettingChannels, value); err != nil {
		l.t.Fatal(err)
	}
	l.note("to %s: %s", name, value)
}

// try uploads to both over a network that loses requests and answers.
func (l *life) try() {
	for name, c := range l.clouds {
		c.before = func(string) error {
			if l.rng.IntN(6) == 0 {
				return fault.New(fault.Unavailable, "lost")
			}
			return nil
		}
		c.after = c.before
		_, _ = l.sync.For(name).RegisterMeter(l.t.Context(), meter) // it may be lost
		_, _ = l.sync.For(name).UploadMeter(l.t.Context(), meter)
		c.before, c.after = nil, nil
	}
	l.note("upload")
}

// settle uploads until both clouds have everything.
func (l *life) settle() {
	l.t.Helper()
	if _, err := l.sync.Refresh(l.t.Context()); err != nil {
		l.t.Fatal(err)
	}
	for range 3 {
		l.upload()
		if err := l.both("second"); err != nil {
			l.t.Fatal(err)
		}
	}
	l.note("settled")
}

func (l *life) answered(c *fakeCloud, key logdb.ChannelKey) (out []point) {
	l.t.Helper()
	return c.answered(l.t, key, l.clock+1000*hour)
}

// answered asks for all values of a channel up to end, as people do.
func (f *fakeCloud) answered(t testing.TB, key logdb.ChannelKey, end logdb.Millis) (out []point) {
	t.Helper()
	choice, err := analysis.Choose(t.Context(), f.store, analysis.Query{Meter: "cloud-4711", Channels: []logdb.ChannelKey{key}, Last: end})
	if err != nil {
		t.Fatal(err)
	}
	if len(choice.Columns) == 0 {
		return nil
	}
	err = choice.ReadSeries(t.Context(), []logdb.SeriesID{1}, 0, end, func(_ logdb.SeriesID, b *logdb.Block) error {
		for i, v := range b.AppendValues(nil) {
			out = append(out, point{key, b.Times[i], v})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Two clouds that are sent other channels in turn by a site that lets go of old values: whatever names their journals come under, each
// answers every value of the channel that it is always sent once, at its right time, and nothing of the others that is not so.
func TestLettingGoUnderOtherNames(t *testing.T) {
	t.Parallel()
	lives := 30 // LIVES=1000 for a long run
	if n, err := strconv.Atoi(os.Getenv("LIVES")); err == nil {
		lives = n
	}
	for seed := range uint64(lives) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			first, second := newFakeCloud(), newFakeCloud()
			l := &life{rng: rand.New(rand.NewPCG(seed, 11)), clouds: map[string]*fakeCloud{"main": first, "second": second}, clock: start + 100*hour}
			l.site = newSite(t, &aged{logdbtest.NewModel(logdbtest.Config{}), func(logdb.Position) bool { return false }}, first)
			l.second("second", second)
			l.settings(time.Minute)
			t.Cleanup(func() {
				if t.Failed() {
					t.Log(strings.Join(l.trace, "\n"))
				}
			})
			for range 4 { // a name is given up with the first choice of channels
				l.grow()
			}
			l.letGo()
			for range 30 {
				switch n := l.rng.IntN(100); {
				case n < 20:
					l.grow()
				case n < 45:
					l.move()
				case n < 60:
					l.choose([]string{"main", "second"}[l.rng.IntN(2)])
				case n < 72:
					l.letGo()
				case n < 77:
					l.restart()
				default:
					l.try()
				}
			}
			l.settle()
			for name, c := range l.clouds {
				for i, key := range channels {
					have, want := l.answered(c, key), []point{}
					for _, r := range l.rows {
						if r.live {
							want = append(want, point{key, r.at, r.value + float64(i)*1e6})
						}
					}
					if i == 0 {
						same(t, name+", "+string(key), sortedPoints(have), sortedPoints(want))
						continue
					}
					left := map[point]int{}
					for _, p := range want {
						left[p]++
					}
					for _, p := range have {
						if left[p]--; left[p] < 0 {
							t.Errorf("%s answers %v, which is not so, or twice", name, p)
						}
					}
				}
			}
		})
	}
}

func sortedPoints(list []point) []point {
	slices.SortFunc(list, func(a, b point) int {
		if a.time != b.time {
			return compare(uint64(a.time), uint64(b.time))
		}
		return compare(uint64(a.value), uint64(b.value))
	})
	return list
}
