package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"metermanager/logdb"
	"metermanager/logdb/format"
	"metermanager/logdb/format/anyfile"
	"metermanager/logdb/logdbtest"
	"metermanager/rpc/api"
	"metermanager/rpc/client"
	"metermanager/rpc/rpctest"
)

// samples are files that other packages ship.
const samples = "../logdb/format/"

// call runs a command line in this process.
func call(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	p := &program{stdin: strings.NewReader(""), stdout: &out, stderr: &errs}
	code = p.main(context.Background(), args)
	return out.String(), errs.String(), code
}

func TestImportDryRun(t *testing.T) {
	t.Parallel()
	bad := filepath.Join(t.TempDir(), "bad.cfg")
	if err := os.WriteFile(bad, []byte("station,device,1999\nmany,4A,4D\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	files := []string{
		samples + "comtrade/testdata/sample_ascii.cfg", bad, samples + "comtrade/testdata/sample_ascii_single_file.cff",
		samples + "csvlog/testdata/il-electricity-cdd-hdd-daily.csv.gz", samples + "greenbutton/testdata/coastal_single_family_sample.xml",
	}
	out, errs, code := call(t, append([]string{"log", "import", "--dry-run", "--json"}, files...)...)
	if code != exitFailed || !strings.Contains(errs, bad+", line 2: ") || !strings.Contains(errs, "1 of 5 files cannot be read") {
		t.Errorf("exit code %d, stderr:\n%s", code, errs)
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) != len(files) {
		t.Fatalf("%d lines of output for %d files:\n%s", len(lines), len(files), out)
	}
	for i, want := range []struct {
		kind     string
		channels int
		records  int
	}{{"comtrade", 8, 40}, {}, {"comtrade", 8, 40}, {"csv", 1, 810}, {"greenbutton", 1, 362}} {
		var got struct {
			File, Kind, Error, Station string
			Channels                   []struct {
				Name, Unit      string
				Samples         int
				First, Min, Max *float64
			}
			Start, Trigger *string
			Records        int
			NotUnderstood  []string `json:"not_understood"`
		}
		if err := json.Unmarshal([]byte(lines[i]), &got); err != nil {
			t.Fatalf("line %d: %v", i+1, err)
		}
		if got.File != files[i] || got.Kind != want.kind || got.Records != want.records || want.channels > 0 && len(got.Channels) != want.channels {
			t.Errorf("%s: kind %s, %d channels, %d records, want %+v", got.File, got.Kind, len(got.Channels), got.Records, want)
		}
		if (got.Error != "") != (want.kind == "") {
			t.Errorf("%s: error %q", got.File, got.Error)
		}
		if i == 0 {
			ia := got.Channels[0]
			if ia.Name != "IA" || ia.Unit != "A" || ia.Samples != 40 || *ia.First != -9.39605712890625 || *ia.Min != -23.63250732421875 || *ia.Max != 30.92156982421875 ||
				*got.Start != "2011-01-12T05:55:30.075011-05:30" || *got.Trigger != "2011-01-12T05:55:30.078261-05:30" || got.Station != "SMARTSTATION" || got.NotUnderstood == nil {
				t.Errorf("%s", lines[i])
			}
		}
	}
	out, _, _ = call(t, "log", "import", "--dry-run", "--json", samples+"comtrade/testdata/wisp_1.cfg")
	if !strings.Contains(out, `"changed":["recording 11: 5316 samples at changing distances`) || !strings.Contains(out, `"not_understood":[]`) {
		t.Errorf("what an import changes is not told: %s", out[max(0, len(out)-400):])
	}
	// The same for people, with what the file leaves open.
	out, _, code = call(t, "log", "import", "--dry-run", files[0], "--primary")
	if code != 0 || !strings.Contains(out, "SMARTSTATION") || !strings.Contains(out, "-8766.521") || !strings.Contains(out, "Assumed: ") {
		t.Errorf("exit code %d:\n%s", code, out)
	}
}

func TestImportUsage(t *testing.T) {
	t.Parallel()
	csv := samples + "csvlog/testdata/il-electricity-cdd-hdd-daily.csv.gz"
	for _, c := range []struct {
		args string
		code int
		says string
	}{
		{csv, exitUsage, "--meter"},
		{"--dry-run nowhere.cfg", exitFailed, "nowhere.cfg: cannot be opened"},
		{"--dry-run .", exitFailed, "is "},
		{"--dry-run logimport_test.go", exitFailed, "no format that this program knows"},
		{"--dry-run " + samples + "comtrade/testdata/sample_ascii.dat", exitFailed, "Name its .cfg"},
		{"--dry-run --zone Mars/Olympus " + csv, exitUsage, "Mars/Olympus"},
		{"--dry-run --delimiter ab " + csv, exitUsage, "one sign"},
		{"--dry-run --map x " + csv, exitUsage, "NAME=KEY"},
		{"--dry-run --column value=NoKey " + csv, exitUsage, "NoKey"},
		{"--dry-run --column value*x " + csv, exitUsage, "no factor"},
		{"--dry-run --line-hz=-1 " + csv, exitUsage, "frequency"},
		{"--dry-run --column other " + csv, exitFailed, "start, value"},
		{"--dry-run --charset klingon " + samples + "comtrade/testdata/sample_iso8859-1.cfg", exitFailed, "gb18030"},
		{"--dry-run --format pqdif " + csv, exitFailed, "PQDIF"},
	} {
		out, errs, code := call(t, append([]string{"log", "import"}, strings.Fields(c.args)...)...)
		if code != c.code || !strings.Contains(errs, c.says) || out != "" {
			t.Errorf("%s: exit code %d, want %d; %q does not say %q; printed %q", c.args, code, c.code, errs, c.says, out)
		}
	}
}

// Files go through the upload routes; again, nothing is stored twice; and a recording comes back out as it went in.
func TestImportIntoAMeter(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	store := logdbtest.NewModel(logdbtest.Config{})
	cloud := &rpctest.Cloud{Store: store}
	url := cloud.Start(t)
	service, err := client.New(url, client.Config{APIKey: rpctest.Key})
	if err != nil {
		t.Fatal(err)
	}
	meter, err := service.Register(ctx, api.RegisterRequest{Settings: logdb.Settings{Name: "main", Make: "EIG", Serial: "17", Zone: "Asia/Kolkata"}})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	csv := filepath.Join(dir, "load.csv")
	if err := os.WriteFile(csv, []byte("time,P (kW),note\n2026-03-01 00:00,1.5,x\n2026-03-01 00:15,,y\n2026-03-01 00:30,2,z\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{
		"log", "import", "--url", url, "--key", rpctest.Key, "--meter", "main", "--json", "--map", "P=readings.power.watts", "--map", "IA=Ia",
		csv, samples + "comtrade/testdata/sample_ascii.cfg",
	}
	for round, want := range []string{
		`"imported":{"historical":{"stored":2,"repeats":0,"skipped":0}}} "imported":{"waveform":{"stored":1,"repeats":0,"skipped":0}}}`,
		`"imported":{"historical":{"stored":0,"repeats":2,"skipped":0}}} "imported":{"waveform":{"stored":0,"repeats":1,"skipped":0}}}`,
	} {
		out, errs, code := call(t, args...)
		var got []string
		for line := range strings.Lines(out) {
			got = append(got, strings.TrimSpace(line[max(0, strings.Index(line, `"imported"`)):]))
		}
		if code != 0 || strings.Join(got, " ") != want {
			t.Fatalf("round %d: exit code %d\n%s\n%s", round+1, code, out, errs)
		}
		if !strings.Contains(out, "note holds text") {
			t.Errorf("the report does not say what was left out:\n%s", out)
		}
	}
	series, err := store.Series(ctx, meter.MeterUID)
	if err != nil || len(series) != 1 || series[0].Channel != "readings.power.watts" || series[0].LastValue != 2000 {
		t.Fatalf("%+v, %v", series, err)
	}
	// A wall clock's time is one of the meter's zone.
	if want := time.Date(2026, 2, 28, 18, 30, 0, 0, time.UTC); series[0].First != logdb.MillisOf(want) {
		t.Errorf("the first row is at %v, want %v", series[0].First, want)
	}
	var entry logdb.Entry
	err = store.ReadEvents(ctx, logdb.EventQuery{Meter: meter.MeterUID, Kind: logdb.KindWaveform}, func(id logdb.StreamID, e *logdb.Entry) error {
		entry, err = store.Recording(ctx, meter.MeterUID, id, e.Position)
		return err
	})
	if err != nil || entry.Waveform == nil || entry.Waveform.Channels[0].Name != "Ia" || entry.Waveform.Channels[0].Samples[0] != -9.39605712890625 {
		t.Fatalf("%v, %+v", err, entry.Waveform)
	}
}

func TestOverLimits(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	at := logdb.MillisOf(start)
	rows := func(step logdb.Millis) *format.Content {
		return &format.Content{Trends: []format.Trend{{Channel: format.Channel{Name: "x"}, Times: []logdb.Millis{at, at + step, at + 2*step}, Values: []float64{1, 2, 3}}}}
	}
	waves := func(n int, hz float64, step float64, count int) *format.Content {
		c := &format.Content{}
		for i := range count {
			c.Recordings = append(c.Recordings, format.Recording{
				Start: start.Add(time.Duration(i) * 100 * time.Millisecond), LineHz: hz,
				Channels: []format.Samples{{Channel: format.Channel{Name: "x"}, Timing: format.Uniform(step), Values: make([]float64, n)}},
			})
		}
		return c
	}
	for _, c := range []struct {
		name    string
		content *format.Content
		want    string
	}{
		{"rows a minute apart", rows(60_000), ""}, {"denser rows", rows(20_000), "historical_interval"},
		{"a short recording", waves(2048, 50, 1.0/12800, 1), ""}, {"a long one", waves(2049, 50, 1.0/12800, 1), "waveform_samples"},
		{"a fine one", waves(2048, 50, 1.0/51200, 1), "waveform_samples_per_cycle"}, {"a fine and long one", waves(20_000, 50, 1e-5, 1), "waveform_samples waveform_samples_per_cycle"},
		{"two in a second", waves(10, 50, 1e-3, 2), "waveform"},
	} {
		target := &importTarget{limits: &logdb.Limits{}}
		*target.limits = logdb.DefaultLimits()
		pages, _ := anyfile.Pages(c.content)
		var got []string
		for name := range overLimits(pages, *target.limits) {
			got = append(got, name)
		}
		slices.Sort(got)
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
		err := target.fits(pages, "a.cfg")
		if (err != nil) != (c.want != "") || err != nil && exitCode(err) != exitUsage {
			t.Errorf("%s: %v", c.name, err)
		}
		target.limited = true
		if err := target.fits(pages, "a.cfg"); err != nil {
			t.Errorf("%s, --limited: %v", c.name, err)
		}
	}
}

// Every PQDIF and Green Button file of the developers' collection reads by the command; the one that breaks the standard is an
// error that says where.
func TestImportSharedFiles(t *testing.T) {
	t.Parallel()
	shared := os.Getenv("MM_SHARED_DATA")
	if shared == "" {
		t.Skip("MM_SHARED_DATA is not set: the developers' collection of files is not here")
	}
	var files []string
	for _, pattern := range []string{"pqdif/*.pqd", "pqdif/no-licence/*.pqd", "greenbutton/*.xml"} {
		found, err := filepath.Glob(filepath.Join(shared, pattern))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	if len(files) == 0 {
		t.Skip("MM_SHARED_DATA holds no PQDIF and no Green Button files")
	}
	for _, file := range files {
		out, errs, code := call(t, "log", "import", "--dry-run", "--json", file)
		var got struct {
			Kind, Error string
			Channels    []struct{ Samples int }
		}
		if err := json.Unmarshal([]byte(out), &got); err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		if strings.HasPrefix(filepath.Base(file), "malformed") {
			if code != exitFailed || !strings.Contains(got.Error, ", byte ") || !strings.Contains(errs, ", byte ") {
				t.Errorf("%s: exit code %d, %q", file, code, got.Error)
			}
			continue
		}
		if want := filepath.Base(filepath.Dir(strings.Replace(file, "no-licence"+string(filepath.Separator), "", 1))); code != exitOK || got.Kind != want {
			t.Errorf("%s: exit code %d, kind %q, %s", file, code, got.Kind, errs)
		}
	}
}
