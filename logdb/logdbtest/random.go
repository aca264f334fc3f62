package logdbtest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"metermanager/logdb"
)

// Open opens the store under test. It is called again with the same Config after Close to see
// whether the data are found again.
type Open func(t testing.TB, cfg Config) logdb.Store

// RunRandom plays a random sequence of operations for each seed against the store and the model, and
// compares everything that can be seen after every step. On failure it leaves out what does not
// matter and prints the shortest sequence that it finds.
func RunRandom(t *testing.T, open Open, seeds ...uint64) {
	t.Helper()
	for _, seed := range seeds {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			g := newGenerator(seed)
			script := g.script(15 + g.IntN(40))
			trouble, n := play(t, open, seed, script)
			if trouble == "" {
				return
			}
			script, trouble = shrink(script[:n], trouble, func(s []operation) (string, int) { return play(t, open, seed, s) })
			t.Errorf("seed %d, after %d operations:\n%s\n%s", seed, len(script), trace(script), trouble)
		})
	}
}

// Seeds returns n seeds from first on.
func Seeds(first uint64, n int) []uint64 {
	out := make([]uint64, n)
	for i := range out {
		out[i] = first + uint64(i)
	}
	return out
}

func trace(script []operation) string {
	var b strings.Builder
	for i, o := range script {
		fmt.Fprintf(&b, "  %2d  %s\n", i+1, o)
	}
	return b.String()
}

// play runs a script; it returns what went wrong first and after how many operations.
func play(t testing.TB, open Open, seed uint64, script []operation) (trouble string, n int) {
	ctx := context.Background()
	now := func() time.Time { return (day0 + 40*logdb.DayMillis).Time() }
	cfg := Config{Path: t.TempDir(), Now: now, NewJournalID: counter()}
	store := open(t, cfg)
	defer func() { _ = store.Close() }()
	model := NewModel(Config{Now: now, NewJournalID: counter()})
	at := looks(seed)
	changed := map[logdb.MeterUID]bool{} // something was revised, forgotten or cleared
	touched := map[logKey]bool{}
	for i, o := range script {
		want, wantErr := o.apply(ctx, model)
		got, err := o.apply(ctx, store)
		if class(err) != class(wantErr) || got != want {
			return fmt.Sprintf("answer: %s, %v\nwant:   %s, %v", got, err, want, wantErr), i + 1
		}
		if o.reopen {
			if err := store.Close(); err != nil {
				return fmt.Sprintf("close: %v", err), i + 1
			}
			store = open(t, cfg)
		}
		changed[o.meter] = changed[o.meter] || changes(model, o.meter)
		touched[logKey{o.meter, o.kind}] = true
		look := []logKey{{o.meter, o.kind}}
		if o.reopen || i == len(script)-1 || strings.HasPrefix(o.text, "compact") {
			look = nil
			for k := range touched {
				look = append(look, k)
			}
		}
		for _, k := range look {
			if trouble := compare(ctx, model, store, k, at, !changed[k.meter]); trouble != "" {
				return trouble, i + 1
			}
		}
	}
	for k := range touched {
		if trouble := replay(ctx, store, k, at); trouble != "" {
			return trouble, len(script)
		}
	}
	return "", len(script)
}

type logKey struct {
	meter logdb.MeterUID
	kind  logdb.Kind
}

func counter() func() logdb.JournalID {
	n := 0
	return func() logdb.JournalID {
		n++
		return logdb.JournalID(fmt.Sprintf("%024x00000000", n))
	}
}

func looks(seed uint64) look {
	g := newGenerator(seed ^ 0x100c)
	edges := []logdb.Millis{0}
	t := day0 - logdb.DayMillis
	for range 5 + g.IntN(6) {
		t += logdb.Millis(1+g.IntN(30)) * pickOne[logdb.Millis](g, 1000, 60_000, 900_000, 3_600_000, 3_600_000, logdb.DayMillis)
		edges = append(edges, t)
	}
	return look{edges: append(edges, t+logdb.DayMillis, day0+2000*logdb.DayMillis), page: pickOne(g, 1, 2, 5, 17, 1000)}
}

// changes reports whether the bounds of the meter's series may be wider than the live values.
func changes(m *Model, uid logdb.MeterUID) bool {
	defer m.lock()()
	for _, s := range m.journals(uid, logdb.KindHistorical).streams {
		stored := 0
		for _, e := range s.held {
			if e.Target != 0 {
				return true
			}
			stored++
		}
		if stored != s.fates.Count(logdb.FateStored) || s.forgot {
			return true
		}
	}
	return false
}

func compare(ctx context.Context, model, store logdb.Store, k logKey, at look, exact bool) string {
	want, err := seen(ctx, model, k.meter, k.kind, at)
	if err != nil {
		return fmt.Sprintf("the model: %v", err)
	}
	got, err := seen(ctx, store, k.meter, k.kind, at)
	if err != nil {
		return err.Error()
	}
	return difference(want, got, exact)
}

// replay puts every stream of the store, read as pages, into a new node, which must then answer alike:
// that is how a relay, a restored receiver and a replayed raw answer lose nothing.
func replay(ctx context.Context, store logdb.Store, k logKey, at look) string {
	states, err := store.Streams(ctx, k.meter, k.kind)
	if err != nil {
		return err.Error()
	}
	other := NewModel(Config{})
	for _, st := range states {
		for first := logdb.Position(1); ; {
			page, err := store.ReadStream(ctx, k.meter, k.kind, st.Stream, first, at.page)
			if err != nil {
				return fmt.Sprintf("replay: %v", err)
			}
			found := positions(&page)
			if len(found) == 0 {
				break
			}
			if _, err := other.Accept(ctx, page, logdb.Limits{}); err != nil {
				return fmt.Sprintf("replay of %s from %d: %v", st.Stream, first, err)
			}
			for p := range found {
				first = max(first, p+1)
			}
		}
	}
	want, err := seen(ctx, store, k.meter, k.kind, at)
	if err != nil {
		return err.Error()
	}
	got, err := seen(ctx, other, k.meter, k.kind, at)
	if err != nil {
		return err.Error()
	}
	// Only the data travel: not what belongs to a node, nor that positions were there before they were cleared.
	data := func(v *view) {
		v.lines = slices.DeleteFunc(v.lines, func(s string) bool {
			return !strings.HasPrefix(s, "event (all)") && !strings.HasPrefix(s, "entry") && !strings.HasPrefix(s, "digest") && !strings.HasPrefix(s, "gap")
		})
		v.series = nil
	}
	data(want)
	data(got)
	if d := difference(want, got, false); d != "" {
		return "after a replay into another node:\n" + d
	}
	return ""
}

// shrink leaves out operations as long as something still goes wrong.
func shrink(script []operation, trouble string, play func([]operation) (string, int)) ([]operation, string) {
	end := time.Now().Add(20 * time.Second)
	for size := max(1, len(script)/2); ; size /= 2 {
		for from := 0; from < len(script) && time.Now().Before(end); {
			shorter := slices.Delete(slices.Clone(script), from, min(len(script), from+size))
			if t, n := play(shorter); t != "" {
				script, trouble = shorter[:n], t
				continue
			}
			from += size
		}
		if size <= 1 {
			return script, trouble
		}
	}
}
