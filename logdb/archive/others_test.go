package archive_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"metermanager/logdb"
	"metermanager/logdb/archive"
	"metermanager/logdb/chunk"
)

// TestOthersReadIt has a program that we did not write (hyparquet) read a file and compares every line, bit for bit.
func TestOthersReadIt(t *testing.T) {
	t.Parallel()
	node, err := exec.LookPath("node")
	root, rootErr := filepath.Abs(filepath.Join("..", ".."))
	modules := filepath.Join(root, ".tools", "parquet", "node_modules")
	if _, statErr := os.Stat(filepath.Join(modules, "hyparquet")); err != nil || rootErr != nil || statErr != nil {
		t.Skip("hyparquet is not installed (Node.js, and the npm package in .tools/parquet: make testtools)")
	}
	codec, err := chunk.New()
	if err != nil {
		t.Fatal(err)
	}
	defer codec.Close()
	values := block(3000, logdb.Exception{Index: 1, Value: math.Inf(-1)}, logdb.Exception{Index: 7, Value: 1.0 / 3}, logdb.Exception{Index: 2999, Value: math.Copysign(0, -1)})
	rows := chunk.Marks{Times: values.Times[:9], Positions: values.Positions[:9], Runs: slices.Repeat([]uint32{2}, 9), Generations: slices.Repeat([]uint32{4_000_000_000}, 9)}
	recording := logdb.Entry{Op: logdb.OpAdd, Time: day0, Position: 17, Waveform: &logdb.Waveform{
		SampleIntervalMillis: 0.39, Channels: []logdb.WaveChannel{{Name: "Van", Samples: []float64{1.5, -2.25, math.Pi}}, {Name: "Ia", Samples: []float64{0, 7}}}, Digital: []byte{1, 255},
	}}
	files := archive.Folder{Path: t.TempDir()}
	name := archive.Name(header.Meter, header.Kind, header.Month, 1)
	_, err = archive.Write(files, name, header, func(w *archive.Writer) error {
		if _, err := w.Values(archive.Series{Stream: stream, Log: 3, Channel: "energy.interval.wh.received"}, values); err != nil {
			return err
		}
		if _, err := w.Rows(archive.Series{Stream: stream, Log: 3}, &rows); err != nil {
			return err
		}
		_, err := w.Recording(archive.Series{Stream: stream}, codec, &recording)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(node, filepath.Join("testdata", "read.mjs"), modules, filepath.Join(files.Path, filepath.FromSlash(name))).Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, err.(*exec.ExitError).Stderr)
	}
	var got struct {
		Groups   int
		Metadata map[string]string
		Columns  []string
		Lines    [][]any
	}
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	if want := []string{"channel", "exact", "exponent", "generation", "interval", "log", "mantissa", "position", "run", "stream", "time"}; got.Groups != 3 || !slices.Equal(got.Columns, want) {
		t.Errorf("%d row groups with columns %v", got.Groups, got.Columns)
	}
	for key, want := range map[string]string{"metermanager.format": "1", "metermanager.meter": "meter/1", "metermanager.kind": "historical", "metermanager.month": "2026-03"} {
		if got.Metadata[key] != want {
			t.Errorf("%s is %q, want %q", key, got.Metadata[key], want)
		}
	}
	var want []string
	line := func(log int, channel string, at logdb.Millis, p logdb.Position, value *float64, more ...any) {
		text, err := json.Marshal(append([]any{stream.String(), log, channel, at, p, bitsOf(value)}, more...))
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, string(text))
	}
	for i, v := range values.AppendValues(nil) {
		line(3, "energy.interval.wh.received", values.Times[i], values.Positions[i], &v, nil, nil, nil)
	}
	for i := range rows.Times {
		line(3, "", rows.Times[i], rows.Positions[i], nil, rows.Runs[i], rows.Generations[i], nil)
	}
	for run, c := range recording.Waveform.Channels {
		for _, v := range c.Samples {
			line(0, c.Name, day0, 17, &v, run, nil, 0.39)
		}
	}
	for _, d := range recording.Waveform.Digital {
		v := float64(d)
		line(0, "", day0, 17, &v, 2, nil, 0.39)
	}
	if len(got.Lines) != len(want) {
		t.Fatalf("%d lines, want %d", len(got.Lines), len(want))
	}
	for i, l := range got.Lines {
		text, err := json.Marshal(l)
		if err != nil {
			t.Fatal(err)
		}
		if !sameJSON(string(text), want[i]) {
			t.Fatalf("line %d is %s, want %s", i, text, want[i])
		}
	}
}

func bitsOf(v *float64) any {
	if v == nil {
		return nil
	}
	return fmt.Sprintf("%x", math.Float64bits(*v))
}

// sameJSON compares two lists whatever the way in which their numbers are written.
func sameJSON(a, b string) bool {
	var x, y []any
	return json.Unmarshal([]byte(a), &x) == nil && json.Unmarshal([]byte(b), &y) == nil && fmt.Sprint(x) == fmt.Sprint(y)
}

// FuzzOpen reads any bytes as a file, with nothing kept apart to compare them with.
func FuzzOpen(f *testing.F) {
	sound := write(f, block(40, logdb.Exception{Index: 3, Value: math.Inf(1)}))
	data, err := os.ReadFile(filepath.Join(sound.files.Path, filepath.FromSlash(sound.name)))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add(data[:len(data)/2])
	f.Add([]byte("PAR1"))
	f.Fuzz(func(t *testing.T, data []byte) {
		folder := archive.Folder{Path: t.TempDir()}
		if err := os.WriteFile(filepath.Join(folder.Path, "x"), data, 0o600); err != nil {
			t.Fatal(err)
		}
		file, err := archive.Open(folder, "x", nil)
		if err != nil {
			return
		}
		defer file.Close()
		var b logdb.Block
		var m chunk.Marks
		for i := range min(file.Parts(), 8) {
			if _, err := file.Values(i, &b); err == nil && b.Len() > archive.MaxRows {
				t.Errorf("%d values", b.Len())
			}
			_, _ = file.Rows(i, &m)                                                      // an error is fine, a panic is not
			_ = file.Samples(i, &logdb.Waveform{Channels: make([]logdb.WaveChannel, 2)}) // as above
		}
	})
}
