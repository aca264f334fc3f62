package archive_test

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"metermanager/logdb"
	"metermanager/logdb/archive"
	"metermanager/logdb/chunk"
)

const day0 = logdb.Millis(1_772_323_200_000) // 2026-03-01

var (
	stream = logdb.StreamID{Journal: "0123456789abcdef0123456789abcdef", Policy: "1"}
	header = archive.Header{Meter: "meter/1", Kind: logdb.KindHistorical, Month: archive.MonthOf(day0), Created: day0.Time()}
)

// block makes n values a minute apart: decimal, but for the exceptions that it is asked for.
func block(n int, exceptions ...logdb.Exception) *logdb.Block {
	b := &logdb.Block{Exponent: 2, Exceptions: exceptions}
	for i := range n {
		b.Times = append(b.Times, day0+logdb.Millis(i)*60_000)
		b.Positions = append(b.Positions, logdb.Position(1000+i))
		b.Mantissas = append(b.Mantissas, 23_000+int64(i*i%71)-int64(i%3))
	}
	return b
}

func same(a, b *logdb.Block) error {
	x, y := a.AppendValues(nil), b.AppendValues(nil)
	for i := range x {
		if math.Float64bits(x[i]) != math.Float64bits(y[i]) {
			return fmt.Errorf("value %d is %v, want %v", i, x[i], y[i])
		}
	}
	if !slices.Equal(a.Times, b.Times) || !slices.Equal(a.Positions, b.Positions) || len(x) != len(y) {
		return errors.New("times, positions or the number of values differ")
	}
	return nil
}

type written struct {
	archive.Written
	name  string
	parts []archive.Part
	files archive.Folder
}

func write(t testing.TB, blocks ...*logdb.Block) written {
	t.Helper()
	out := written{name: archive.Name(header.Meter, header.Kind, header.Month, 1), files: archive.Folder{Path: filepath.Join(t.TempDir(), "archive")}}
	var err error
	out.Written, err = archive.Write(out.files, out.name, header, func(w *archive.Writer) error {
		for i, b := range blocks {
			p, err := w.Values(archive.Series{Stream: stream, Log: logdb.LogNo(i), Channel: "readings.voltage.an"}, b)
			if err != nil {
				return err
			}
			out.parts = append(out.parts, p)
		}
		p, err := w.Rows(archive.Series{Stream: stream}, &chunk.Marks{
			Times: blocks[0].Times, Positions: blocks[0].Positions, Runs: make([]uint32, blocks[0].Len()), Generations: slices.Repeat([]uint32{7}, blocks[0].Len()),
		})
		out.parts = append(out.parts, p)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestReadBack(t *testing.T) {
	t.Parallel()
	odd := []logdb.Exception{{Index: 0, Value: math.Inf(1)}, {Index: 4, Value: math.Float64frombits(0x7ff8_0000_dead_beef)}, {Index: 9, Value: math.Copysign(0, -1)}, {Index: 10, Value: 1.0 / 3}}
	all := block(300)
	for i := range all.Mantissas {
		all.Mantissas[i] = 0
		all.Exceptions = append(all.Exceptions, logdb.Exception{Index: i, Value: math.Sqrt(float64(i))})
	}
	blocks := []*logdb.Block{block(10_080), block(11, odd...), block(1), all, block(200_000)}
	f := write(t, blocks...)
	if err := archive.Verify(f.files, f.name, f.Written); err != nil {
		t.Fatal(err)
	}
	file, err := archive.Open(f.files, f.name, &f.Tail)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if file.Parts() != len(blocks)+1 || f.Parts != file.Parts() {
		t.Fatalf("%d parts, %d were written", file.Parts(), f.Parts)
	}
	var got logdb.Block
	for i, want := range blocks {
		if err := file.Check(f.parts[i]); err != nil {
			t.Error(err)
		}
		s, err := file.Values(i, &got)
		if err != nil {
			t.Fatal(err)
		}
		if err := same(&got, want); err != nil {
			t.Errorf("part %d: %v", i, err)
		}
		if want := (archive.Series{Stream: stream, Log: logdb.LogNo(i), Channel: "readings.voltage.an"}); s != want {
			t.Errorf("part %d is of %+v, want %+v", i, s, want)
		}
	}
	var m chunk.Marks
	s, err := file.Rows(len(blocks), &m)
	if err != nil {
		t.Fatal(err)
	}
	if s.Channel != "" || !slices.Equal(m.Times, blocks[0].Times) || !slices.Equal(m.Positions, blocks[0].Positions) || slices.Max(m.Runs) != 0 || slices.Min(m.Generations) != 7 {
		t.Errorf("the rows of the log came back as others")
	}
	t.Logf("%d bytes for %d values", f.Size, 10_080+11+1+300+200_000)
	if _, err := file.Values(99, &got); !errors.Is(err, chunk.ErrDamaged) {
		t.Errorf("a part that is not there: %v", err)
	}
	if _, err := file.Values(len(blocks), &got); !errors.Is(err, chunk.ErrDamaged) {
		t.Errorf("rows read as values: %v", err)
	}
}

// TestDamage changes every 97th byte of a file: no change stays unnoticed, and the error names file, meter and month.
func TestDamage(t *testing.T) {
	t.Parallel()
	want := block(500)
	f := write(t, want)
	path := filepath.Join(f.files.Path, filepath.FromSlash(f.name))
	sound, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	check := func() error {
		file, err := archive.Open(f.files, f.name, &f.Tail)
		if err != nil {
			return err
		}
		defer file.Close()
		for i, p := range f.parts {
			if err := file.Check(p); err != nil {
				return err
			}
			if i == 0 {
				var b logdb.Block
				if _, err := file.Values(0, &b); err != nil {
					return err
				}
				return same(&b, want)
			}
		}
		return nil
	}
	try := func(what string, data []byte) {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		whole := archive.Verify(f.files, f.name, f.Written)
		if whole == nil {
			t.Errorf("%s: the file passes for the one that was written", what)
		}
		err := check()
		if err == nil {
			return // in a part that was not read
		}
		for _, e := range []error{whole, err} {
			if text := e.Error(); !errors.Is(e, chunk.ErrDamaged) || !strings.Contains(text, f.name) || !strings.Contains(text, "meter/1") || !strings.Contains(text, "2026-03") {
				t.Errorf("%s: %v", what, e)
			}
		}
	}
	for i := 0; i < len(sound); i += 97 {
		bad := slices.Clone(sound)
		bad[i] ^= 0x41
		try(fmt.Sprint("byte ", i), bad)
	}
	for _, n := range []int{0, 3, len(sound) / 2, len(sound) - 1} {
		try(fmt.Sprint("cut to ", n), sound[:n])
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := check(); !errors.Is(err, chunk.ErrDamaged) || !strings.Contains(err.Error(), "not there") {
		t.Errorf("a file that is gone: %v", err)
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	for _, uid := range []logdb.MeterUID{"meter-1", "../../etc/passwd", "A b_c=d/ü", "con.", "x"} {
		for _, month := range []archive.Month{0, archive.MonthOf(day0), 1199} {
			for _, kind := range []logdb.Kind{logdb.KindHistorical, logdb.KindWaveform} {
				checkName(t, uid, kind, month)
			}
		}
	}
	for _, bad := range []string{"", "a", "a/b_2026-03_1.parquet", "a/a_2026-03.parquet", "a/a_2026-03_0.parquet", "a/a_1960-03_1.parquet", "a/a_2026-03_1.parquet.tmp", "a/a_2026-03_pq_1.parquet"} {
		if _, _, _, _, ok := archive.ParseName(bad); ok {
			t.Errorf("%q passes for a name", bad)
		}
	}
	if m, err := archive.ParseMonth("2026-03"); err != nil || m.First() != day0 || m.String() != "2026-03" {
		t.Errorf("2026-03 is read as %s, %v", m, err)
	}
}

func checkName(t *testing.T, uid logdb.MeterUID, kind logdb.Kind, month archive.Month) {
	t.Helper()
	name := archive.Name(uid, kind, month, 12)
	if strings.Count(name, "/") != 1 || strings.Contains(name, "..") {
		t.Errorf("%q leaves its folder: %s", uid, name)
	}
	gotUID, gotKind, gotMonth, number, ok := archive.ParseName(name)
	if !ok || gotUID != uid || gotKind != kind || gotMonth != month || number != 12 {
		t.Errorf("%s is read as %q, %s, %s, %d", name, gotUID, gotKind, gotMonth, number)
	}
}

func BenchmarkValues(b *testing.B) {
	f := write(b, block(10_080))
	file, err := archive.Open(f.files, f.name, &f.Tail)
	if err != nil {
		b.Fatal(err)
	}
	defer file.Close()
	b.SetBytes(10_080)
	var got logdb.Block
	for b.Loop() {
		if _, err := file.Values(0, &got); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkWrite(b *testing.B) {
	want := block(10_080)
	b.SetBytes(20 * 10_080)
	for b.Loop() {
		_, err := archive.Write(archive.Folder{Path: b.TempDir()}, "a/b", archive.Header{Created: time.Now()}, func(w *archive.Writer) error {
			for range 20 {
				if _, err := w.Values(archive.Series{Stream: stream, Channel: "readings.voltage.an"}, want); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}
