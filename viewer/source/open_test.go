package source_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"metermanager/logdb"
	"metermanager/logdb/format"
	"metermanager/viewer/source"
)

// Any file is understood by what is in it, of a COMTRADE record any of its files; what is not says why.
func TestOpen(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	table := "time,kW\n2026-03-01T00:00:00Z,1\n2026-03-01T00:15:00Z,2\n2026-03-01T00:30:00Z,3\n"
	for name, text := range map[string]string{"table.txt": table, "table.dat": table, "alone.dat": "\x00\x01\x02", "broken.cfg": "\x00\x01", "prose.txt": "It was a dark and stormy night.", "empty.csv": ""} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	records := "../../logdb/format/comtrade/testdata/"
	for path, want := range map[string]struct{ kind, err string }{
		records + "wisp_1.cfg": {kind: "COMTRADE"}, records + "wisp_1.dat": {kind: "COMTRADE"}, records + "sample_ascii_single_file.cff": {kind: "COMTRADE 2013"},
		dir + "/table.txt": {kind: "CSV"}, dir + "/table.dat": {kind: "CSV"},
		dir + "/alone.dat": {err: ".cfg"}, dir + "/broken.cfg": {err: "broken.cfg"}, dir + "/prose.txt": {err: "CSV, log database"},
		dir + "/empty.csv": {err: "is empty"}, dir: {err: "is a folder"}, dir + "/nowhere.csv": {err: "cannot be opened"},
	} {
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			x, err := source.Open(t.Context(), source.Target{Place: path}, nil)
			var e *format.Error
			switch {
			case want.err != "" && (!errors.As(err, &e) || !strings.Contains(err.Error(), want.err) || strings.Contains(err.Error(), "--")):
				t.Errorf("the error is %v, want one with %q", err, want.err)
			case want.err == "" && (err != nil || !strings.HasPrefix(x.Kind, want.kind)):
				t.Errorf("opened as %+v, %v", x, err)
			}
		})
	}
}

// A log database is read as it is, and closed again.
func TestOpenStore(t *testing.T) {
	t.Parallel()
	x, err := source.Open(t.Context(), source.Target{Place: eventStore(t, 10)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	err = x.Events(t.Context(), "m", logdb.KindPQ, 0, 0, func(source.Ref, *logdb.Entry) error {
		n++
		return nil
	})
	if err := errors.Join(err, x.Close()); err != nil || n != 10 {
		t.Errorf("%d events, %v", n, err)
	}
}
