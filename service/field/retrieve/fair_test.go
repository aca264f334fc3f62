package retrieve_test

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"metermanager/assets"
	"metermanager/logdb"
	"metermanager/logdb/logdbtest"
	"metermanager/service/field/modbus"
	"metermanager/service/field/retrieve"
)

// bus is a gateway with a serial line behind it: one request after the other, each of which takes its time on the wire. Dead
// units never answer. It notes when each unit was read.
type bus struct {
	wire time.Duration

	mu     sync.Mutex
	line   chan struct{} // the wire: holds one who uses it; a mutex would hold the bubble's time
	dead   map[byte]bool
	away   bool // the gateway itself: it takes connections and says nothing
	volts  float32
	reads  map[byte][]time.Time
	conns  []net.Conn
	served sync.WaitGroup
}

func (b *bus) dial(context.Context, string) (net.Conn, error) {
	near, far := net.Pipe()
	b.mu.Lock()
	if b.line == nil {
		b.line = make(chan struct{}, 1)
	}
	b.conns = append(b.conns, far)
	b.mu.Unlock()
	b.served.Go(func() { b.serve(far) })
	return near, nil
}

func (b *bus) hangUp() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range b.conns {
		c.Close()
	}
	b.conns = nil
}

func (b *bus) serve(c net.Conn) {
	defer c.Close()
	for {
		var head [7]byte
		if _, err := io.ReadFull(c, head[:]); err != nil {
			return
		}
		pdu := make([]byte, binary.BigEndian.Uint16(head[4:])-1)
		if _, err := io.ReadFull(c, pdu); err != nil {
			return
		}
		b.line <- struct{}{}
		time.Sleep(b.wire) // of virtual time
		<-b.line
		b.mu.Lock()
		silent, volts := b.dead[head[6]] || b.away, cmp.Or(b.volts, 230.5)
		if !silent {
			b.reads[head[6]] = append(b.reads[head[6]], time.Now())
		}
		b.mu.Unlock()
		if silent {
			continue
		}
		n := int(binary.BigEndian.Uint16(pdu[3:]))
		answer := []byte{pdu[0], byte(2 * n)}
		for range n / 2 {
			answer = binary.BigEndian.AppendUint32(answer, math.Float32bits(volts))
		}
		answer = append(answer, make([]byte, 2*(n%2))...)
		binary.BigEndian.PutUint16(head[4:], uint16(len(answer)+1))
		if _, err := c.Write(append(head[:], answer...)); err != nil {
			return
		}
	}
}

// line of meters at one gateway, run for a time of the bubble.
func runLine(t *testing.T, b *bus, meters int, during func(*retrieve.Manager)) logdb.Store {
	t.Helper()
	store, state := logdbtest.NewModel(logdbtest.Config{}), newMemory()
	for i := range meters {
		x := retrieve.Meter{UID: logdb.MeterUID(fmt.Sprintf("m-%02d", i+1)), Name: fmt.Sprintf("m-%02d", i+1), Address: "10.0.0.9:502", Unit: byte(i + 1), Profile: "eastron-sdm120",
			Zone: "UTC", Serial: fmt.Sprintf("S-%02d", i+1), Enabled: true, LiveSeconds: 60, LogSeconds: 60, Added: logdb.Millis(i + 1)}
		if err := state.PutMeter(t.Context(), x); err != nil {
			t.Fatal(err)
		}
		if err := store.PutSettings(t.Context(), x.UID, logdb.Settings{UID: x.UID, Name: x.Name, Make: "Eastron", Model: "SDM120", Serial: x.Serial, Zone: "UTC"}); err != nil {
			t.Fatal(err)
		}
	}
	m, err := retrieve.New(t.Context(), store, state, profiles(t), retrieve.Config{Modbus: modbus.Config{Dial: b.dial}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	during(m)
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	b.hangUp()
	b.served.Wait()
	return store
}

// rows counts the rows of each minute that a meter has in [from, to).
func rows(t *testing.T, store logdb.Store, uid logdb.MeterUID, from, to time.Time) int {
	t.Helper()
	list, err := store.Series(t.Context(), uid)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, s := range list {
		if s.Channel != "readings.voltage.an" {
			continue
		}
		err := store.ReadSeries(t.Context(), []logdb.SeriesID{s.ID}, logdb.MillisOf(from), logdb.MillisOf(to), func(_ logdb.SeriesID, b *logdb.Block) error {
			n += len(b.Times)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return n
}

// TestDeadUnitsOnALine: 32 units on one line of 9600 baud, 5 of them dead. The other 27 are read in time: every row of every minute is
// there, and no reading comes later than a tenth of the minute.
func TestDeadUnitsOnALine(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const minutes = 30
		b := &bus{wire: 60 * time.Millisecond, dead: map[byte]bool{3: true, 9: true, 17: true, 26: true, 32: true}, reads: map[byte][]time.Time{}}
		start := time.Now()
		store := runLine(t, b, 32, func(*retrieve.Manager) { time.Sleep((minutes + 1) * time.Minute) })
		worst := time.Duration(0)
		for unit := byte(1); unit <= 32; unit++ {
			if b.dead[unit] {
				continue
			}
			first := start.Truncate(time.Minute).Add(2 * time.Minute) // the dead ones are known to be by then
			for at := first; at.Before(start.Add(minutes * time.Minute)); at = at.Add(time.Minute) {
				late := time.Duration(math.MaxInt64)
				for _, r := range b.reads[unit] {
					if !r.Before(at) {
						late = min(late, r.Sub(at))
					}
				}
				worst = max(worst, late)
				if late > 6*time.Second {
					t.Errorf("unit %d: the reading of %s came %s late", unit, at.Format("15:04"), late)
				}
			}
			uid := logdb.MeterUID(fmt.Sprintf("m-%02d", unit))
			if n := rows(t, store, uid, first, start.Add(minutes*time.Minute)); n < minutes-2 {
				t.Errorf("unit %d: %d rows", unit, n)
			}
		}
		t.Logf("the latest reading came %s after its minute", worst)
	})
}

// TestGatewayThatStartsAnew: a gateway is away for a while, once with its connections cut and once only mute. Afterwards every unit has
// the row of the next minute, and gaps for those between and no others.
func TestGatewayThatStartsAnew(t *testing.T) {
	t.Parallel()
	for name, cut := range map[string]bool{"connections cut": true, "mute": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := &bus{wire: 60 * time.Millisecond, reads: map[byte][]time.Time{}}
				start := time.Now().Truncate(time.Minute)
				set := func(away bool) {
					b.mu.Lock()
					b.away = away
					b.mu.Unlock()
				}
				store := runLine(t, b, 8, func(*retrieve.Manager) {
					time.Sleep(10*time.Minute + 30*time.Second)
					set(true)
					if cut {
						b.hangUp()
					}
					time.Sleep(3 * time.Minute) // without minutes 11, 12 and 13
					set(false)
					if cut {
						b.hangUp()
					}
					time.Sleep(7 * time.Minute)
				})
				for unit := 1; unit <= 8; unit++ {
					uid := logdb.MeterUID(fmt.Sprintf("m-%02d", unit))
					from, to := start.Add(2*time.Minute), start.Add(20*time.Minute+time.Second)
					if n, away := rows(t, store, uid, from, to), rows(t, store, uid, start.Add(11*time.Minute), start.Add(14*time.Minute)); n != 19-3 || away != 0 {
						t.Errorf("unit %d: %d rows and %d while the gateway was away, want 16 and none", unit, n, away)
					}
					at := start.Add(10 * time.Minute) // gaps follow one another: the first is told at once
					err := store.ReadEvents(t.Context(), logdb.EventQuery{Meter: uid, Kind: logdb.KindHistorical, Gaps: true}, func(_ logdb.StreamID, e *logdb.Entry) error {
						if g := e.Gap; g.Cause != logdb.GapUnreachable || g.From != logdb.MillisOf(at) || !strings.Contains(g.Detail, fmt.Sprintf("unit %d ", unit)) {
							t.Errorf("unit %d: gap %+v", unit, g)
						}
						at = e.Gap.To.Time()
						return nil
					})
					if err != nil {
						t.Fatal(err)
					}
					if want := start.Add(13 * time.Minute); !at.Equal(want) {
						t.Errorf("unit %d: gaps until %s, want %s", unit, at, want)
					}
				}
			})
		})
	}
}

// TestLimitsOfAMeterWithoutLogs: a limit that is set for a meter is watched from then on.
func TestLimitsOfAMeterWithoutLogs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &bus{wire: 10 * time.Millisecond, reads: map[byte][]time.Time{}}
		volts := func(v float32) {
			b.mu.Lock()
			b.volts = v
			b.mu.Unlock()
			time.Sleep(2 * time.Minute)
		}
		store := runLine(t, b, 2, func(m *retrieve.Manager) {
			time.Sleep(time.Second)
			if _, err := m.Set(t.Context(), "m-01", retrieve.Change{Limit: &retrieve.LimitChange{Number: 1, Text: "readings.voltage.an above 250 back 248"}}); err != nil {
				t.Error(err)
			}
			if _, err := m.Set(t.Context(), "m-01", retrieve.Change{Limit: &retrieve.LimitChange{Number: 9, Text: ""}}); !errors.Is(err, retrieve.ErrInvalid) {
				t.Errorf("limit 9: %v", err)
			}
			volts(230)
			volts(251)
			volts(255)
			volts(247)
		})
		for uid, want := range map[logdb.MeterUID]int{"m-01": 1, "m-02": 0} {
			n := 0
			err := store.ReadEvents(t.Context(), logdb.EventQuery{Meter: uid, Kind: logdb.KindLimit}, func(_ logdb.StreamID, e *logdb.Entry) error {
				n++
				if x := e.Excursion; x.Worst != 255 || x.Threshold != 250 || !(x.DurationSeconds >= 180 && x.DurationSeconds <= 300) {
					t.Errorf("event %+v", x)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if n != want {
				t.Errorf("%s: %d events, want %d", uid, n, want)
			}
		}
	})
}

// TestCountersThatAreScaledAnew: a correction of the ratios, or of the scale in the profile, is no energy: the rows go on in a new
// generation, whose counters have no base on record, even when the program ends before its first row. Set back to what it was
// without a row in between nothing begins.
func TestCountersThatAreScaledAnew(t *testing.T) {
	t.Parallel()
	text, err := fs.ReadFile(assets.Profiles(), "eastron-sdm120.json")
	if err != nil {
		t.Fatal(err)
	}
	factor := func(ct float64) func(*testing.T, *retrieve.Manager) {
		return func(t *testing.T, m *retrieve.Manager) {
			if _, err := m.Set(t.Context(), "m-01", retrieve.Change{CTFactor: &ct}); err != nil {
				t.Error(err)
			}
		}
	}
	profile := func(from, to string) func(*testing.T, *retrieve.Manager) {
		return func(t *testing.T, m *retrieve.Manager) {
			changed := strings.Replace(string(text), from, to, 1)
			if changed == string(text) {
				t.Fatal("nothing is changed: the test shows nothing")
			}
			if _, err := m.KeepProfile(t.TempDir(), []byte(changed)); err != nil {
				t.Error(err)
			}
		}
	}
	const received = `"channel": "energy.total.wh.received", "unit": "Wh", "kind": "counter", "scale": 1000`
	for name, tc := range map[string]struct {
		change []func(*testing.T, *retrieve.Manager)
		total  []float64
		energy int // intervals that have it
		gaps   string
	}{
		"nothing":                       {nil, []float64{230500, 230500, 230500, 230500, 230500, 230500, 230500, 230500}, 7, "[]"},
		"a ratio":                       {[]func(*testing.T, *retrieve.Manager){factor(2)}, []float64{230500, 230500, 230500, 230500, 461000, 461000, 461000, 461000}, 6, "[log settings changed]"},
		"a ratio that is smaller":       {[]func(*testing.T, *retrieve.Manager){factor(0.5)}, []float64{230500, 230500, 230500, 230500, 115250, 115250, 115250, 115250}, 6, "[log settings changed]"},
		"a ratio and back":              {[]func(*testing.T, *retrieve.Manager){factor(2), factor(1)}, []float64{230500, 230500, 230500, 230500, 230500, 230500, 230500, 230500}, 7, "[]"},
		"a scale":                       {[]func(*testing.T, *retrieve.Manager){profile(received, strings.Replace(received, "1000", "10000", 1))}, []float64{230500, 230500, 230500, 230500, 2305000, 2305000, 2305000, 2305000}, 6, "[log settings changed]"},
		"what is said of another point": {[]func(*testing.T, *retrieve.Manager){profile(`"readings.voltage.an"`, `"readings.voltage.ab"`)}, []float64{230500, 230500, 230500, 230500, 230500, 230500, 230500, 230500}, 7, "[]"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := &bus{wire: 10 * time.Millisecond, reads: map[byte][]time.Time{}}
				store := runLine(t, b, 1, func(m *retrieve.Manager) {
					time.Sleep(4*time.Minute + 30*time.Second)
					for _, change := range tc.change {
						change(t, m)
						time.Sleep(5 * time.Second)
					}
					time.Sleep(4 * time.Minute)
				})
				if got := values(t, store, "m-01", "energy.total.wh.received"); !slices.Equal(got, tc.total) {
					t.Errorf("total %v, want %v", got, tc.total)
				}
				if got := values(t, store, "m-01", "energy.interval.wh.received"); !slices.Equal(got, make([]float64, tc.energy)) {
					t.Errorf("energy of the intervals %v, want %d times 0", got, tc.energy)
				}
				gaps := []logdb.GapCause{}
				if err := store.ReadEvents(t.Context(), logdb.EventQuery{Meter: "m-01", Kind: logdb.KindHistorical, Gaps: true}, func(_ logdb.StreamID, e *logdb.Entry) error {
					gaps = append(gaps, e.Gap.Cause)
					return nil
				}); err != nil || fmt.Sprint(gaps) != tc.gaps {
					t.Errorf("gaps %v, want %s; %v", gaps, tc.gaps, err)
				}
			})
		})
	}
}

// values returns what a meter has on record of a channel.
func values(t *testing.T, store logdb.Store, uid logdb.MeterUID, channel logdb.ChannelKey) (out []float64) {
	t.Helper()
	list, err := store.Series(t.Context(), uid)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range list {
		if s.Channel != channel {
			continue
		}
		if err := store.ReadSeries(t.Context(), []logdb.SeriesID{s.ID}, 0, logdb.MaxTime, func(_ logdb.SeriesID, b *logdb.Block) error {
			out = b.AppendValues(out)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	return out
}
