package comtrade_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"metermanager/logdb"
	"metermanager/logdb/format"
	"metermanager/logdb/format/comtrade"
)

// fact is what is known of a record.
type fact struct {
	file            string
	station, device string
	year            int
	analog, digital int
	lineHz          float64
	rates           int
	rate            float64 // the first
	last            int     // its last sample
	start, trigger  string  // in the zone of the file
	data            comtrade.DataType
	records         int
	channels        []stated
}

// stated is what is known of an analogue channel: the values have six digits.
type stated struct {
	index      int
	name, unit string
	first      []float64
	min, max   float64
}

func read(t *testing.T, dir fs.FS, name string, o format.Options) *comtrade.Record {
	t.Helper()
	r, err := comtrade.Read(context.Background(), format.File{Dir: dir, Name: name}, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// place returns the folder that holds a file: the shipped ones, else the developers' collection.
func place(t *testing.T, file string) fs.FS {
	t.Helper()
	if _, err := os.Stat(filepath.Join("testdata", file)); err == nil {
		return os.DirFS("testdata")
	}
	shared := os.Getenv("MM_SHARED_DATA")
	if shared == "" {
		t.Skipf("%s is not shipped; MM_SHARED_DATA names no collection that has it", file)
	}
	return os.DirFS(filepath.Join(shared, "comtrade"))
}

func TestFacts(t *testing.T) {
	t.Parallel()
	for _, f := range facts {
		t.Run(f.file, func(t *testing.T) {
			t.Parallel()
			r := read(t, place(t, f.file), f.file, format.Options{})
			got := fact{
				f.file, r.Station, r.Device, r.Year, len(r.Config.Analog), len(r.Config.Digital), r.LineHz, len(r.Rates), r.Rates[0].Hz, r.Rates[0].Last,
				r.Start.Format("2006-01-02T15:04:05.000000"), r.Trigger.Format("2006-01-02T15:04:05.000000"), r.Type, r.Count, nil,
			}
			want := f
			want.channels = nil
			if want.rates == 0 { // one line says where the samples end
				want.rates = 1
			}
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("read  %v\nknown %v", got, want)
			}
			for _, c := range f.channels {
				a, v := r.Config.Analog[c.index], r.Data.Analog[c.index]
				if a.Name != c.name || a.Unit != c.unit {
					t.Errorf("channel %d is %q in %q, want %q in %q", c.index+1, a.Name, a.Unit, c.name, c.unit)
				}
				for i, want := range c.first {
					if !near(v[i], want) {
						t.Errorf("%s: sample %d is %v, want %v", c.name, i+1, v[i], want)
					}
				}
				if lo, hi := slices.Min(v), slices.Max(v); !near(lo, c.min) || !near(hi, c.max) {
					t.Errorf("%s: %v to %v, want %v to %v", c.name, lo, hi, c.min, c.max)
				}
				if len(v) != f.records {
					t.Errorf("%s: %d samples, want %d", c.name, len(v), f.records)
				}
			}
			report := r.Content().Report(f.file)
			if n := f.analog + f.digital; len(report.Channels) != n || report.Records != f.records || report.Station != f.station {
				t.Errorf("the report has %d channels, %d records, station %q", len(report.Channels), report.Records, report.Station)
			}
			if len(report.NotUnderstood) > 0 {
				t.Errorf("not understood: %q", report.NotUnderstood)
			}
			entries, said := r.Content().Entries(logdb.KindWaveform)
			if len(entries) != 1 || entries[0].Time != logdb.MillisOf(r.Start) {
				t.Errorf("as log data: %d entries, %q", len(entries), said)
			}
		})
	}
}

// near compares to the six digits that are known.
func near(got, want float64) bool { return math.Abs(got-want) <= 6e-6*math.Abs(want)+1e-12 }

func TestMissingValues(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ cfg, dat string }{{"sample_ascii.cfg", "sample_ascii_missing.dat"}, {"sample_bin.cfg", "sample_bin_missing.dat"}} {
		whole := read(t, os.DirFS("testdata"), c.cfg, format.Options{})
		dir := fstest.MapFS{"r.cfg": {Data: load(t, c.cfg)}, "r.DAT": {Data: load(t, c.dat)}}
		r := read(t, dir, "r.cfg", format.Options{})
		missing := 0
		for ch := range r.Data.Analog {
			for i, v := range r.Data.Analog[ch] {
				if math.IsNaN(v) {
					missing++
				} else if v != whole.Data.Analog[ch][i] {
					t.Errorf("%s: channel %d sample %d is %v, want %v", c.dat, ch, i, v, whole.Data.Analog[ch][i])
				}
			}
		}
		if missing != 4 || !math.IsNaN(r.Data.Analog[0][1]) && !math.IsNaN(r.Data.Analog[0][0]) {
			t.Errorf("%s: %d values are missing, want one a channel", c.dat, missing)
		}
		line := r.Content().Report("r.cfg").Channels[0]
		if line.Missing != 1 || math.IsNaN(float64(line.Min)) {
			t.Errorf("%s: the report says %+v", c.dat, line)
		}
	}
}

func load(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestTimes(t *testing.T) {
	t.Parallel()
	dir := os.DirFS("testdata")
	shipped := func(name string) *comtrade.Record { return read(t, dir, name, format.Options{}) }

	// 83 rates: the device follows the frequency, so its own stamps (whole microseconds) agree.
	many := shipped("wisp_1.cfg")
	if n := len(many.Rates); n != 83 {
		t.Errorf("%d rates", n)
	}
	for i, s := range many.Stamps {
		if d := many.Timing.At(i) - s*1e-6; math.Abs(d) > 3e-3 { // rates follow the frequency, stamps are rounded
			t.Fatalf("sample %d is %v s away from its stamp", i+1, d)
		}
	}
	entries, said := many.Content().Entries(logdb.KindWaveform)
	if w := entries[0].Waveform; len(said) != 1 || !strings.Contains(said[0], "interpolation") || math.Abs(w.SampleIntervalMillis-0.4164) > 0.001 {
		t.Errorf("%q, %v ms", said, w.SampleIntervalMillis)
	}

	// No rate: the stamps rule.
	stamped := shipped("wisp_3.cfg")
	if at := stamped.Timing.At(1359); math.Abs(at-1.698295) > 1e-9 {
		t.Errorf("the last sample is at %v s", at)
	}
	if _, even := stamped.Timing.Step(); even {
		t.Error("a relay that follows the frequency samples at equal distances")
	}
	entries, _ = stamped.Content().Entries(logdb.KindWaveform)
	if w := entries[0].Waveform; w.End-entries[0].Time != 1698 || math.Abs(w.SampleIntervalMillis-1.24966) > 1e-4 {
		t.Errorf("stored with %v ms until %v", w.SampleIntervalMillis, w.End-entries[0].Time)
	}

	// A meter without stamps.
	if at := shipped("keating_1999.CFG").Timing.At(2047); math.Abs(at-2047/30707.244140625) > 1e-12 {
		t.Errorf("the last sample is at %v s", at)
	}

	// 1991: month first, and the start is the first sample though stamps begin below 0.
	old := shipped("ascii_1991.cfg")
	if got := old.Start.Format("2006-01-02"); got != "2015-09-17" || old.Timing.At(0) != 0 || old.Stamps[0] != -77500 {
		t.Errorf("start %s, first sample at %v s, first stamp %v", got, old.Timing.At(0), old.Stamps[0])
	}

	// 2013 states its offset.
	if got := shipped("sample_ascii.cfg").Start.UTC().Format(time.RFC3339Nano); got != "2011-01-12T11:25:30.075011Z" {
		t.Errorf("start in UTC: %s", got)
	}
	// Older records get the zone that the caller names.
	zone, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		t.Fatal(err)
	}
	if got := read(t, dir, "ascii_1991.cfg", format.Options{Zone: zone}).Start.UTC().Format("15:04:05"); got != "02:52:52" {
		t.Errorf("start in UTC: %s", got)
	}
}

func rms(v []float64) float64 {
	sum := 0.0
	for _, x := range v {
		sum += x * x
	}
	return math.Sqrt(sum / float64(len(v)))
}

// What is known of the records beyond their numbers: voltages of a healthy site, a fault with its trip and reclosure.
func TestWhatRecordsShow(t *testing.T) {
	t.Parallel()
	meter := read(t, os.DirFS("testdata"), "keating_1999.CFG", format.Options{})
	for _, c := range []int{4, 5, 6} {
		if v := rms(meter.Data.Analog[c]); v < 345 || v > 353 {
			t.Errorf("%s: %v V", meter.Config.Analog[c].Name, v)
		}
	}
	line := read(t, os.DirFS("testdata"), "strathmore.cfg", format.Options{})
	ic, uc := line.Data.Analog[2], line.Data.Analog[10]
	if before, fault, open := rms(ic[:900]), rms(ic[1010:1050]), rms(ic[1300:6000]); fault < 3*before || open > before/5 {
		t.Errorf("current of phase C: %v A before, %v A in the fault, %v A open", before, fault, open)
	}
	if before, open, after := rms(uc[:900]), rms(uc[1300:6000]), rms(uc[7000:8000]); open > before/5 || after < before/2 {
		t.Errorf("voltage of phase C: %v V before, %v V open, %v V after", before, open, after)
	}
}

// A simulated system of 60 Hz that its file calls one of 50, with a fault on B.
func TestWhatASimulationShows(t *testing.T) {
	t.Parallel()
	simulated := read(t, place(t, "f1_1b274run.cfg"), "f1_1b274run.cfg", format.Options{})
	if said := strings.Join(simulated.Content().Assumed, "\n"); !strings.Contains(said, "50 Hz, but the samples repeat at 60.00 Hz") {
		t.Errorf("%q", said)
	}
	b := simulated.Data.Analog[1]
	first, lowest := rms(b[:5000]), math.Inf(1)
	for i := 0; i+1667 < len(b); i += 833 {
		lowest = math.Min(lowest, rms(b[i:i+1667]))
	}
	if math.Abs(first-2387) > 24 || math.Abs(lowest-923) > 10 {
		t.Errorf("B falls from %v to %v V", first, lowest)
	}
	for c, a := range simulated.Config.Analog {
		if !strings.Contains(a.Name, "FAULTB") || a.Unit != "A" {
			continue
		}
		i := slices.IndexFunc(simulated.Data.Analog[c], func(x float64) bool { return math.Abs(x) > 200 })
		if at := simulated.Timing.At(max(i, 0)); math.Abs(at-0.1524) > 1e-4 {
			t.Errorf("%s is above 200 A first at %v s", a.Name, at)
		}
	}
	if r := read(t, place(t, "f1_1b274run.cfg"), "f1_1b274run.cfg", format.Options{LineHz: 60}); r.LineHz != 60 || strings.Contains(strings.Join(r.Content().Assumed, ""), "repeat at") {
		t.Errorf("%v Hz, %q", r.LineHz, r.Content().Assumed)
	}
}

func TestCharacterSets(t *testing.T) {
	t.Parallel()
	dir := os.DirFS("testdata")
	old := read(t, dir, "ascii_1991.cfg", format.Options{})
	if got := old.Config.Digital[0].Name; got != "纵联差动保护" {
		t.Errorf("a GB18030 name was read as %q", got)
	}
	if got := read(t, dir, "wisp_1.cfg", format.Options{}).Config.Digital[0].Name; !strings.HasPrefix(got, "ЗПП") && !strings.ContainsAny(got, "абвгдежзиклмнопрстуАБВГДЕЖЗИКЛМНОПРСТУ") {
		t.Errorf("a Windows-1251 name was read as %q", got)
	}
	if got := read(t, dir, "wisp_1.cfg", format.Options{Charset: "iso-8859-1"}).Device; !strings.HasPrefix(got, "òåðìèíàë") {
		t.Errorf("the character set that was asked for was not taken: %q", got)
	}
	if _, err := comtrade.Read(context.Background(), format.File{Dir: dir, Name: "wisp_1.cfg"}, format.Options{Charset: "klingon"}); err == nil || !strings.Contains(err.Error(), "gb18030") {
		t.Errorf("an unknown character set: %v", err)
	}
}

func TestSingleFile(t *testing.T) {
	t.Parallel()
	one, two := read(t, os.DirFS("testdata"), "sample_ascii_single_file.cff", format.Options{}), read(t, os.DirFS("testdata"), "sample_ascii.cfg", format.Options{})
	if fmt.Sprint(one.Config, one.Data) != fmt.Sprint(two.Config, two.Data) {
		t.Error("the .cff differs from the .cfg and .dat of the same record")
	}
	// What writers do to the lines between sections.
	text := string(load(t, "sample_ascii_single_file.cff"))
	odd := strings.NewReplacer("--- file type: CFG ---", "--- file type  CFG ---", "--- file type: DAT ASCII ---", "-- file type  DAT ---", "\n", "\r\n").Replace(text)
	cut := strings.Index(text, "--- file type: DAT")
	swapped := text[cut:] + "\n" + text[:cut]
	for name, text := range map[string]string{"odd": odd, "swapped": swapped} {
		r := read(t, fstest.MapFS{"a.cff": {Data: []byte(text)}}, "a.cff", format.Options{})
		if fmt.Sprint(r.Config, r.Data) != fmt.Sprint(two.Config, two.Data) {
			t.Errorf("%s: the record differs", name)
		}
	}
}

// Traps of the wild, each a change of a good record.
func TestOddRecords(t *testing.T) {
	t.Parallel()
	cfg, dat := string(load(t, "sample_ascii.cfg")), string(load(t, "sample_ascii.dat"))
	for _, c := range []struct {
		name     string
		cfg, dat string
		says     string // in what the report says
		check    func(*comtrade.Record) bool
	}{
		{"optional lines are missing", strings.Split(cfg, "\n1\n-5h30")[0] + "\n", dat, "no time zone", func(r *comtrade.Record) bool { return r.Count == 40 && r.TimeFactor == 1 }},
		{"broken date", strings.Replace(cfg, "12/01/2011,05:55:30.075011", "09/44/2025,15:44:15", 1), dat, "no day 44", func(r *comtrade.Record) bool {
			return r.Start.Equal(time.Date(2025, 9, 1, 12, 0, 0, 0, time.UTC))
		}},
		{"month first", strings.Replace(cfg, "12/01/2011,05:55:30.075011", "01/22/2011,05:55:30.075011", 1), dat, "other order", func(r *comtrade.Record) bool { return r.Start.Month() == 1 && r.Start.Day() == 22 }},
		{"unset trigger", strings.Replace(cfg, "12/01/2011,05:55:30.078261", "01/01/1970,00:00:00.000000", 1), dat, "", func(r *comtrade.Record) bool { return r.Trigger.IsZero() }},
		{"one sample fewer than announced", strings.Replace(cfg, "1200,40", "1200,41", 1), dat, "announces 41 samples, the data hold 40", nil},
		{"more than announced", strings.Replace(cfg, "1200,40", "1200,39", 1), dat, "announces 39", func(r *comtrade.Record) bool { return math.Abs(r.Timing.At(39)-39.0/1200) < 1e-12 }},
		{"repeated rates", strings.Replace(cfg, "1\n1200,40", "4\n1200,20\n1200,20\n600,20\n600,40", 1), dat, "stamps", func(r *comtrade.Record) bool {
			return math.Abs(r.Timing.At(39)-(19.0/1200+20.0/600)) < 1e-12
		}},
		{"Ctrl-Z and blank lines", "\n" + cfg + "\x1a", "\n" + dat + "\n\n\x1a", "", func(r *comtrade.Record) bool { return r.Count == 40 }},
		{"cut last line", cfg, dat[:len(dat)-12], "cut short", func(r *comtrade.Record) bool { return r.Count == 39 }},
		{"no blanks, lower case", strings.ReplaceAll(strings.Replace(cfg, "ASCII", "ascii", 1), "4A,4D", "4a,4d"), dat, "", nil},
		{"secondary ratio of nothing", strings.ReplaceAll(cfg, "933,1,s", "933,0,s"), dat, "", func(r *comtrade.Record) bool { return r.Content().Recordings[0].Channels[0].Primary == 1 }},
		{"empty stamps", cfg, strings.NewReplacer("72500", "", "105000", "").Replace(dat), "", nil},
		{"nanoseconds", strings.NewReplacer("30.075011", "30.075011000", "1\n1200,40", "0\n0,40", "ASCII\n1\n", "ASCII\n1000\n").Replace(cfg), dat, "first time stamp is 72500", func(r *comtrade.Record) bool {
			return math.Abs(r.Timing.At(39)-0.0325) < 1e-9
		}},
		{"time multiplier", strings.NewReplacer("1\n1200,40", "0\n0,40", "ASCII\n1\n", "ASCII\n10\n").Replace(cfg), dat, "", func(r *comtrade.Record) bool {
			return math.Abs(r.Timing.At(39)-0.325) < 1e-9
		}},
		{"stamps that begin again", strings.Replace(cfg, "1\n1200,40", "0\n0,40", 1), wrapped(dat), "began again", func(r *comtrade.Record) bool {
			return math.Abs(r.Timing.At(39)-0.0325) < 1e-9
		}},
		{"locked clock, leap second", strings.Replace(cfg, "B,3", "0,1", 1), dat, "leap second was added", nil},
		{"unknown quality", strings.Replace(cfg, "B,3", "Q,9", 1), dat, "time quality", nil},
		{"text beyond the end", cfg + "\nhello,world\n", dat, "hello,world", nil},
		{"channels that do not add up", strings.Replace(cfg, "8,4A", "9,4A", 1), dat, "9 channels are announced", nil},
		{"sample numbers that jump", cfg, strings.Replace(dat, "\n20,", "\n30,", 1), "jump 2 times", nil},
		{"skew", strings.Replace(cfg, "0.05694580078125,0,", "0.05694580078125,3.5,", 1), dat, "skew", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			modified := time.Date(2025, 9, 1, 12, 0, 0, 0, time.UTC)
			dir := fstest.MapFS{"A.CFG": {Data: []byte(c.cfg), ModTime: modified}, "a.Dat": {Data: []byte(c.dat)}}
			r := read(t, dir, "A.CFG", format.Options{})
			report := r.Content().Report("A.CFG")
			if all := strings.Join(append(report.Assumed, report.NotUnderstood...), "\n"); !strings.Contains(all, c.says) {
				t.Errorf("the report does not say %q:\n%s", c.says, all)
			}
			if c.check != nil && !c.check(r) {
				t.Errorf("start %v, trigger %v, %d samples, last at %v s", r.Start, r.Trigger, r.Count, r.Timing.At(r.Count-1))
			}
		})
	}
}

// wrapped takes the time stamps of an ASCII record to 16 bits.
func wrapped(dat string) string {
	var b strings.Builder
	for _, line := range strings.Split(strings.TrimSpace(dat), "\n") {
		f := strings.Split(line, ",")
		var n int
		_, _ = fmt.Sscan(f[1], &n)
		f[1] = fmt.Sprint((n + 40_000) % 65536)
		b.WriteString(strings.Join(f, ",") + "\n")
	}
	return b.String()
}

// What cannot be read says what, where and what to do.
func TestMalformedRecords(t *testing.T) {
	t.Parallel()
	cfg, dat := string(load(t, "sample_ascii.cfg")), string(load(t, "sample_ascii.dat"))
	binCfg, binDat := string(load(t, "sample_bin.cfg")), string(load(t, "sample_bin.dat"))
	for _, c := range []struct {
		name     string
		file     string
		cfg, dat string
		says     []string
	}{
		{"no data", "a.cfg", cfg, "", []string{"a.dat", "no samples", "device"}},
		{"no data file", "b.cfg", cfg, dat, []string{"b.cfg", ".dat"}},
		{"the data named", "a.dat", cfg, dat, []string{"part of a COMTRADE record", ".cfg"}},
		{"no such file", "c.cfg", cfg, dat, []string{"c.cfg", "does not exist"}},
		{"empty", "a.cfg", "", dat, []string{"a.cfg, line 1", "name of the station"}},
		{"no counts", "a.cfg", strings.Replace(cfg, "8,4A,4D", "eight,4A,4D", 1), dat, []string{"line 2", "8,4A,4D"}},
		{"no channels", "a.cfg", strings.Replace(cfg, "8,4A,4D", "0,0A,0D", 1), dat, []string{"line 2", "no channels"}},
		{"negative counts", "a.cfg", strings.Replace(cfg, "8,4A,4D", "8,-4A,4D", 1), dat, []string{"line 2"}},
		{"lying counts", "a.cfg", strings.Replace(cfg, "8,4A,4D", "999999999,999999999A,4D", 1), dat, []string{"line 7", "fields"}},
		{"cut in the channels", "a.cfg", cfg[:strings.Index(cfg, "\n4,3I0")], dat, []string{"analogue channel 4 of 4"}},
		{"factor", "a.cfg", strings.Replace(cfg, "0.1138916015625", "0,1138916015625x", 1), dat, []string{"line 3", "the offset b", "number"}},
		{"infinite factor", "a.cfg", strings.Replace(cfg, "0.1138916015625", "Inf", 1), dat, []string{"line 3", "the factor a"}},
		{"rates", "a.cfg", strings.Replace(cfg, "60\n1\n", "60\n9999999\n", 1), dat, []string{"line 14", "sampling rate"}},
		{"type", "a.cfg", strings.Replace(cfg, "ASCII", "MORSE", 1), dat, []string{"MORSE", "FLOAT32"}},
		{"short line", "a.cfg", cfg, strings.Replace(dat, "3,74167,55", "3,74167", 1), []string{"a.dat, line 3", "9 values, want 10", "one record"}},
		{"long line", "a.cfg", cfg, strings.Replace(dat, "3,74167,55", "3,74167,55,7", 1), []string{"line 3", "11 values"}},
		{"letters", "a.cfg", cfg, strings.Replace(dat, "3,74167,55", "3,74167,5x", 1), []string{"line 3", `"5x"`}},
		{"digital of two", "a.cfg", cfg, strings.Replace(dat, "-6,0,0,0,0", "-6,0,2,0,0", 1), []string{"line 2", "51B"}},
		{"other record's data", "a.cfg", binCfg, binDat[:9], []string{"a.dat", "9 bytes", "18"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := fstest.MapFS{"a.cfg": {Data: []byte(c.cfg)}, "a.dat": {Data: []byte(c.dat)}}
			if c.file == "b.cfg" {
				dir = fstest.MapFS{"b.cfg": {Data: []byte(c.cfg)}, "ab.dat": {Data: []byte(c.dat)}}
			}
			_, err := comtrade.Read(context.Background(), format.File{Dir: dir, Name: c.file}, format.Options{})
			var e *format.Error
			if !errors.As(err, &e) {
				t.Fatalf("the error is %v", err)
			}
			for _, s := range c.says {
				if !strings.Contains(err.Error(), s) {
					t.Errorf("%q does not say %q", err, s)
				}
			}
		})
	}
}

func TestSniff(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"sample_ascii.cfg": true, "wisp_3.cfg": true, "keating_1999.CFG": true, "ascii_1991.cfg": true, "sample_ascii_single_file.cff": true, "sample_ascii.dat": false, "wisp_3.hdr": false, "README.md": false,
	} {
		head := load(t, name)
		if got := comtrade.Sniff("anything", head[:min(len(head), format.SniffBytes)]); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
	if comtrade.Sniff("tool.cfg", []byte("[section]\nkey=value, other\n")) {
		t.Error("the settings of a program are taken for a record")
	}
}

func TestDataInParts(t *testing.T) {
	t.Parallel()
	dat := load(t, "strathmore.dat")
	dir := fstest.MapFS{"s.cfg": {Data: load(t, "strathmore.cfg")}, "s.D01": {Data: dat[100_001:]}, "s.D00": {Data: dat[:100_001]}}
	whole, split := read(t, os.DirFS("testdata"), "strathmore.cfg", format.Options{}), read(t, dir, "s.cfg", format.Options{})
	if fmt.Sprint(whole.Data) != fmt.Sprint(split.Data) {
		t.Error("data in two files differ from the whole")
	}
}

func TestBoundAndProgress(t *testing.T) {
	t.Parallel()
	line := "1,0" + strings.Repeat(",0", 8) + "\n"
	dir := fstest.MapFS{"a.cfg": {Data: load(t, "sample_ascii.cfg")}, "a.dat": {Data: []byte(strings.Repeat(line, 9<<20/len(line)))}}
	f := format.File{Dir: dir, Name: "a.cfg"}
	_, err := comtrade.Read(context.Background(), f, format.Options{MaxBytes: 4 << 20})
	if err == nil || !strings.Contains(err.Error(), "larger than 4 MiB") {
		t.Errorf("too large: %v", err)
	}
	var told []int64
	read(t, dir, "a.cfg", format.Options{Progress: func(done, _ int64) { told = append(told, done) }})
	if len(told) < 3 || !slices.IsSorted(told) {
		t.Errorf("progress: %v", told)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := comtrade.Read(ctx, f, format.Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
