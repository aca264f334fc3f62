package csvlog_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"metermanager/logdb"
	"metermanager/logdb/format"
	"metermanager/logdb/format/csvlog"
)

func read(t *testing.T, dir fs.FS, name string, o format.Options, m csvlog.Mapping) *format.Content {
	t.Helper()
	c, err := csvlog.Read(context.Background(), format.File{Dir: dir, Name: name}, o, m)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func text(s string) fs.FS { return fstest.MapFS{"a.csv": {Data: []byte(s)}} }

// place returns the folder of a file: the shipped ones, else the developers' collection.
func place(t *testing.T, folder, file string) fs.FS {
	t.Helper()
	if _, err := os.Stat(filepath.Join("testdata", file)); err == nil {
		return os.DirFS("testdata")
	}
	shared := os.Getenv("MM_SHARED_DATA")
	if shared == "" {
		t.Skipf("%s is not shipped; MM_SHARED_DATA names no collection that has it", file)
	}
	return os.DirFS(filepath.Join(shared, folder))
}

// What is known of files of others: names, number of lines, first and last values.
func TestFacts(t *testing.T) {
	t.Parallel()
	nan := math.NaN()
	for _, f := range []struct {
		folder, file string
		rows         int
		start, end   string
		names        string
		first, last  []float64
	}{
		{"energy", "il-electricity-cdd-hdd-hourly.csv.gz", 19417, "2015-11-22T00:00:00-06:00", "2018-02-08T06:00:00Z", "value", []float64{0.29}, []float64{1.17}},
		{"energy", "il-electricity-cdd-hdd-daily.csv.gz", 810, "2015-11-22T00:00:00-06:00", "2018-02-08T06:00:00Z", "value", []float64{32.34}, []float64{nan}},
		{"energy", "il-electricity-cdd-hdd-billing_monthly.csv.gz", 27, "2015-11-22T00:00:00-06:00", "2018-01-20T06:00:00Z", "value", []float64{725.1}, []float64{nan}},
		{"energy", "il-tempF.csv.gz", 19417, "2015-11-22T00:00:00-06:00", "2018-02-08T06:00:00Z", "tempF", []float64{21.01}, []float64{15.99}},
		{
			"energy", "uci_household_first_2203_minutes.txt", 2203, "2006-12-16T17:24:00Z", "2006-12-18T06:06:00Z",
			"Global_active_power Global_reactive_power Voltage Global_intensity Sub_metering_1 Sub_metering_2 Sub_metering_3",
			[]float64{4.216, 0.418, 234.84, 18.4, 0, 1, 17}, []float64{0.39, 0.242, 244.86, 1.8, 0, 0, 0},
		},
		{
			"energy", "load_250kW_avg_2025_15min.csv", 35040, "2025-01-01T00:00:00Z", "2025-12-31T23:45:00Z",
			"load_kW kWh month energy_period", []float64{95.90175697543859, 23.975439243859647, 1, 1}, []float64{81.190432586781, 20.29760814669525, 12, 1},
		},
		{"pqevents", "one_cycle_rms_with_dip.csv", 267, "2024-12-30T10:29:52.842Z", "2024-12-30T10:29:58.242Z", "U1_1p_rms", []float64{230.68548583984375}, []float64{230.6838836669922}},
	} {
		t.Run(f.file, func(t *testing.T) {
			t.Parallel()
			c := read(t, place(t, f.folder, f.file), f.file, format.Options{}, csvlog.Mapping{})
			if len(c.NotUnderstood) > 0 {
				t.Errorf("not understood: %q", c.NotUnderstood)
			}
			if got := c.Start.Format(time.RFC3339Nano); c.Records != f.rows || got != f.start {
				t.Errorf("%d rows from %s, want %d from %s", c.Records, got, f.rows, f.start)
			}
			var names []string
			for i, tr := range c.Trends {
				names = append(names, tr.Name)
				n := len(tr.Times) - 1
				if end := tr.Times[n].Time().Format(time.RFC3339Nano); len(tr.Values) != f.rows || end != f.end {
					t.Fatalf("%s: %d values until %s, want %d until %s", tr.Name, len(tr.Values), end, f.rows, f.end)
				}
				if i < len(f.first) && (!same(tr.Values[0], f.first[i]) || !same(tr.Values[n], f.last[i])) {
					t.Errorf("%s: %v to %v, want %v to %v", tr.Name, tr.Values[0], tr.Values[n], f.first[i], f.last[i])
				}
			}
			if got := strings.Join(names, " "); got != f.names {
				t.Errorf("columns %q, want %q", got, f.names)
			}
			if !csvlog.Sniff(f.file, head(t, f.folder, f.file)) || !strings.HasSuffix(f.file, "gz") && !csvlog.Sniff("x", head(t, f.folder, f.file)) {
				t.Error("it is not taken for a table")
			}
		})
	}
}

func head(t *testing.T, folder, file string) []byte {
	t.Helper()
	f, err := format.Gunzip(place(t, folder, file)).Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b := make([]byte, format.SniffBytes)
	n, _ := f.Read(b)
	return b[:n]
}

func same(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) }

// The forms of times and numbers that files have.
func TestForms(t *testing.T) {
	t.Parallel()
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		text  string
		m     csvlog.Mapping
		zone  *time.Location
		times string // the first and the last
		value float64
		says  string
	}{
		{"ISO 8601 with offset", "time,v\n2026-03-01T00:00:00+01:00,1.5\n2026-03-01T00:15:00+01:00,2.5\n", csvlog.Mapping{}, nil, "2026-02-28T23:00:00Z 2026-02-28T23:15:00Z", 1.5, ""},
		{"basic ISO 8601", "t;v\n20260301T000000Z;1\n20260301T001500.5Z;2\n", csvlog.Mapping{}, nil, "2026-03-01T00:00:00Z 2026-03-01T00:15:00.5Z", 1, ""},
		{"epoch s", "t,v\n1772323200,1\n1772323260,2\n", csvlog.Mapping{}, nil, "2026-03-01T00:00:00Z 2026-03-01T00:01:00Z", 1, ""},
		{"epoch us", "t,v\n1772323200000000,1\n1772323200001000,2\n", csvlog.Mapping{}, nil, "2026-03-01T00:00:00Z 2026-03-01T00:00:00.001Z", 1, ""},
		{"epoch that is named", "t,v\n0,1\n60,2\n", csvlog.Mapping{TimeForm: "s"}, nil, "1970-01-01T00:00:00Z 1970-01-01T00:01:00Z", 1, ""},
		{"German", "Zeit;Leistung (kW)\n1.3.2026 00:15;1.234,5\n1.3.2026 00:30;0,5\n", csvlog.Mapping{}, berlin, "2026-02-28T23:15:00Z 2026-02-28T23:30:00Z", 1234.5, ""},
		{"American", "Time,V\n02/28/2026 11:45 PM,\"1,234.5\"\n03/01/2026 12:00 AM,2\n", csvlog.Mapping{}, nil, "2026-02-28T23:45:00Z 2026-03-01T00:00:00Z", 1234.5, ""},
		{"month first far below", "Time,V\n01/02/2026 00:00,1\n01/13/2026 00:00,2\n", csvlog.Mapping{}, nil, "2026-01-02T00:00:00Z 2026-01-13T00:00:00Z", 1, ""},
		{"a pattern", "t,v\n26-01-03 00h05,1\n26-01-03 00h10,2\n", csvlog.Mapping{TimeForm: "YY-DD-MM hhhmm"}, nil, "2026-03-01T00:05:00Z 2026-03-01T00:10:00Z", 1, ""},
		{"no header", "2026-03-01 00:00;1\n2026-03-01 00:15;2\n", csvlog.Mapping{}, nil, "2026-03-01T00:00:00Z 2026-03-01T00:15:00Z", 1, "no offset"},
		{"a text before, units below", "Report of meter 5\nmade 2026-03-01\n\ntime\tU\n\tV\n2026-03-01 00:00\t231\n2026-03-01 00:15\t232\n", csvlog.Mapping{}, nil, "2026-03-01T00:00:00Z 2026-03-01T00:15:00Z", 231, "2 lines before"},
		{"time in the second column", "n,time,v\n1,2026-03-01 00:00,7\n2,2026-03-01 00:15,8\n", csvlog.Mapping{Columns: []csvlog.Column{{Name: "v"}}}, nil, "2026-03-01T00:00:00Z 2026-03-01T00:15:00Z", 7, ""},
		{"columns by number", "n,time,v\n1,2026-03-01 00:00,7\n2,2026-03-01 00:15,8\n", csvlog.Mapping{Time: []string{"2"}, Columns: []csvlog.Column{{Name: "3", Scale: 2}}}, nil, "2026-03-01T00:00:00Z 2026-03-01T00:15:00Z", 7, ""},
		{"a total at the end", "time,v\n2026-03-01 00:00,1\n2026-03-01 00:15,2\nTotal,3\n", csvlog.Mapping{}, nil, "2026-03-01T00:00:00Z 2026-03-01T00:15:00Z", 1, `line 4 with "Total"`},
		{"text among numbers", "time,v\n2026-03-01 00:00,1\n2026-03-01 00:15,oops\n2026-03-01 00:30,3\n", csvlog.Mapping{}, nil, "2026-03-01T00:00:00Z 2026-03-01T00:30:00Z", 1, `"oops" in line 3`},
		{"longer lines", "time,v\n2026-03-01 00:00,1\n2026-03-01 00:15,2,\n" + strings.Repeat("2026-03-01 00:30,3\n", 600) + "2026-03-01 00:45,3,9\n", csvlog.Mapping{}, nil, "2026-03-01T00:00:00Z 2026-03-01T00:45:00Z", 1, ""},
		{"backwards", "time,v\n2026-03-01 00:15,1\n2026-03-01 00:00,2\n", csvlog.Mapping{}, nil, "2026-03-01T00:15:00Z 2026-03-01T00:00:00Z", 1, "go back 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := read(t, text(c.text), "a.csv", format.Options{Zone: c.zone}, c.m)
			tr := got.Trends[0]
			first, last := tr.Times[0].Time(), tr.Times[len(tr.Times)-1].Time()
			if s := first.Format(time.RFC3339Nano) + " " + last.Format(time.RFC3339Nano); s != c.times || tr.Values[0] != c.value {
				t.Errorf("%s with %v, want %s with %v", s, tr.Values[0], c.times, c.value)
			}
			if all := strings.Join(append(got.Assumed, got.NotUnderstood...), "\n"); !strings.Contains(all, c.says) {
				t.Errorf("the report does not say %q:\n%s", c.says, all)
			}
		})
	}
}

// Gaps stay gaps: no value becomes 0, and no row appears.
func TestGaps(t *testing.T) {
	t.Parallel()
	c := read(t, text("time,a,b\n2026-03-01 00:00,1,\n2026-03-01 00:15,,\n2026-03-01 00:30,NaN,null\n2026-03-01 01:00,-,0\n2026-03-01 01:15\n2026-03-01 01:30,?,5\n"), "a.csv", format.Options{}, csvlog.Mapping{})
	rows, lost := c.History()
	if len(rows) != 1 || rows[0].Len() != 3 || len(lost) > 0 || len(c.NotUnderstood) > 0 {
		t.Fatalf("%+v, %q, %q", rows, lost, c.NotUnderstood)
	}
	for i, want := range [][2]float64{{1, math.NaN()}, {math.NaN(), 0}, {math.NaN(), 5}} {
		for k, w := range want {
			if got := rows[0].Columns[k][i]; !same(got, w) {
				t.Errorf("row %d column %d is %v, want %v", i, k, got, w)
			}
		}
	}
}

// Wall clocks of a zone: the hour that comes twice is told apart by the order, the one that is skipped is said.
func TestClockChanges(t *testing.T) {
	t.Parallel()
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString("time,v\n")
	start := time.Date(2026, 10, 24, 22, 0, 0, 0, time.UTC) // midnight in Berlin; the day has 25 hours
	for i := range 101 {
		b.WriteString(start.Add(time.Duration(i)*15*time.Minute).In(berlin).Format("2006-01-02 15:04") + ",1\n")
	}
	c := read(t, text(b.String()), "a.csv", format.Options{Zone: berlin}, csvlog.Mapping{})
	for i, at := range c.Trends[0].Times {
		if want := start.Add(time.Duration(i) * 15 * time.Minute); !at.Time().Equal(want) {
			t.Fatalf("row %d is at %v, want %v", i, at.Time(), want)
		}
	}
	if !strings.Contains(strings.Join(c.Assumed, "\n"), "8 times fall into an hour that comes twice") {
		t.Errorf("%q", c.Assumed)
	}
	c = read(t, text("time,v\n2026-03-29 01:45,1\n2026-03-29 02:15,2\n2026-03-29 03:15,3\n"), "a.csv", format.Options{Zone: berlin}, csvlog.Mapping{})
	if !strings.Contains(strings.Join(c.NotUnderstood, "\n"), "1 times fall into an hour that the clock of Europe/Berlin skips") {
		t.Errorf("%q", c.NotUnderstood)
	}
}

// Interval energy is stamped with the end of its interval, in the unit of its channel.
func TestIntervals(t *testing.T) {
	t.Parallel()
	m := csvlog.Mapping{Starts: true, Log: 2, Columns: []csvlog.Column{{Name: "use", Key: "energy.interval.wh.received"}, {Name: "U", Key: "readings.voltage.an", Unit: "V"}}}
	c := read(t, text("start,use [kWh],U\n2026-01-01T00:00Z,1.1,230\n2026-02-01T00:00Z,2,231\n2026-03-01T00:00Z,3,232\n"), "a.csv", format.Options{}, m)
	rows, _ := c.History()
	if len(rows) != 2 || rows[0].Log != 2 {
		t.Fatalf("%+v", rows)
	}
	for i, want := range []string{"2026-02-01", "2026-03-01", "2026-04-01"} {
		if got := rows[0].Times[i].Time().Format("2006-01-02"); !strings.HasPrefix(got, want) {
			t.Errorf("interval %d ends at %s, want %s", i, got, want)
		}
	}
	if rows[0].Columns[0][0] != 1100 || rows[1].Columns[0][0] != 230 || rows[1].Times[0].Time().Format("2006-01-02") != "2026-01-01" {
		t.Errorf("%+v", rows)
	}
	c = read(t, text("end,use [kWh]\n2026-01-01T00:00Z,1\n2026-02-01T00:00Z,2\n"), "a.csv", format.Options{}, csvlog.Mapping{Columns: m.Columns[:1]})
	if got := c.Trends[0].Times[0].Time().Format("2006-01-02"); got != "2026-01-01" || !strings.Contains(c.Assumed[0], "end of what they cover") {
		t.Errorf("%s, %q", got, c.Assumed)
	}
	c = read(t, text("end,use [kV]\n2026-01-01T00:00Z,1\n2026-02-01T00:00Z,2\n"), "a.csv", format.Options{}, csvlog.Mapping{Columns: m.Columns[:1]})
	if len(c.NotUnderstood) != 1 || !strings.Contains(c.NotUnderstood[0], `"kV"`) {
		t.Errorf("a unit that does not fit: %q", c.NotUnderstood)
	}
}

// Columns that are not listed are read too when that is asked for.
func TestOthers(t *testing.T) {
	t.Parallel()
	file := text("time,a,b\n2026-03-01 00:00,1,2\n2026-03-01 00:15,3,4\n")
	for others, want := range map[bool]int{false: 1, true: 2} {
		m := csvlog.Mapping{Others: others, Columns: []csvlog.Column{{Name: "b", Key: "readings.voltage.an", Scale: 10}}}
		c := read(t, file, "a.csv", format.Options{}, m)
		rows, _ := c.History()
		if len(c.Trends) != want || rows[0].Channels[0] != "readings.voltage.an" || rows[0].Columns[0][0] != 20 {
			t.Errorf("others %v: %+v", others, c.Trends)
		}
	}
}

// What cannot be read says what, where and what to do.
func TestMalformed(t *testing.T) {
	t.Parallel()
	good := "time,v\n2026-03-01 00:00,1\n2026-03-01 00:15,2\n"
	for _, c := range []struct {
		name, text string
		m          csvlog.Mapping
		says       []string
	}{
		{"empty", "", csvlog.Mapping{}, []string{"a.csv", "empty"}},
		{"header only", "time,v\n", csvlog.Mapping{}, []string{"no line of data"}},
		{"no time", "a,b\n1,2\n3,4\n", csvlog.Mapping{}, []string{"line 2", "no column holds times", "a, b", "DD.MM.YYYY"}},
		{"no such time", good, csvlog.Mapping{Time: []string{"when"}}, []string{`"when"`, "time, v"}},
		{"no such column", good, csvlog.Mapping{Columns: []csvlog.Column{{Name: "w"}}}, []string{`"w"`, "time, v"}},
		{"column of the time", good, csvlog.Mapping{Columns: []csvlog.Column{{Name: "time"}}}, []string{"is the time"}},
		{"other form", good, csvlog.Mapping{TimeForm: "DD.MM.YYYY"}, []string{"no column holds times"}},
		{"other form, named", good, csvlog.Mapping{Time: []string{"time"}, TimeForm: "DD.MM.YYYY"}, []string{"line 2", `"2026-03-01 00:00"`}},
		{"no numbers", "time,v\n2026-03-01 00:00,a\n2026-03-01 00:15,b\n", csvlog.Mapping{}, []string{"no column holds numbers"}},
		{"one very long line", "time,v\n2026-03-01 00:00" + strings.Repeat(",", 10_000) + "\n" + strings.Repeat("2026-03-01,1\n", 10_000), csvlog.Mapping{}, []string{"10001 cells"}},
		{"times that stop", "time,v\n" + strings.Repeat("2026-03-01 00:00,1\n", 500) + strings.Repeat("later,1\n", 600), csvlog.Mapping{}, []string{"line 502", `"later"`}},
	} {
		_, err := csvlog.Read(context.Background(), format.File{Dir: text(c.text), Name: "a.csv"}, format.Options{}, c.m)
		var e *format.Error
		if !errors.As(err, &e) {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		for _, s := range c.says {
			if !strings.Contains(err.Error(), s) {
				t.Errorf("%s: %q does not say %q", c.name, err, s)
			}
		}
	}
	_, err := csvlog.Read(context.Background(), format.File{Dir: text(good), Name: "b.csv"}, format.Options{}, csvlog.Mapping{})
	if err == nil || !strings.Contains(err.Error(), "b.csv: cannot be opened") {
		t.Errorf("a file that is not there: %v", err)
	}
}

// A packed file may not grow beyond the bound.
func TestBound(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write(bytes.Repeat([]byte("2026-03-01,1\n"), 1<<18))
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := csvlog.Read(context.Background(), format.File{Dir: fstest.MapFS{"a.csv": {Data: b.Bytes()}}, Name: "a.csv"}, format.Options{MaxBytes: 1 << 20}, csvlog.Mapping{})
	if err == nil || !strings.Contains(err.Error(), "larger than 1 MiB") {
		t.Errorf("%v of %d bytes", err, b.Len())
	}
}

func TestSniff(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"time,v\n2026-03-01 00:00,1\n2026-03-01 00:15,2\n2026": true,
		"some text\nwithout a table\n":                         false,
		"a,b\n1,2\n":                                           false,
		"<feed><time>2026-03-01,1\n2026-03-01,2\n</time>":      false,
		"\x00\x01,2026-03-01\n":                                false,
	} {
		if got := csvlog.Sniff("x", []byte(text)); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

// What is written is read back bit for bit, and an absent value stays absent.
func TestWriteAndRead(t *testing.T) {
	t.Parallel()
	zone := time.FixedZone("", -4*3600)
	var b bytes.Buffer
	w := csvlog.NewWriter(&b, zone)
	w.Head("time", "readings.voltage.an [V]", "import.a \"b\", c")
	times := []logdb.Millis{1772323200000, 1772323200123, 1772323260000}
	values := [][]float64{{0.1, 1e-300}, {math.NaN(), -1.7976931348623157e308}, {math.Copysign(0, -1), 123456789.123456}}
	for i, at := range times {
		w.Row(at, values[i]...)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if want := "time,readings.voltage.an [V],\"import.a \"\"b\"\", c\"\n2026-02-28T20:00:00-04:00,0.1,1e-300\n2026-02-28T20:00:00.123-04:00,,"; !strings.HasPrefix(b.String(), want) {
		t.Errorf("written:\n%s", b.String())
	}
	c := read(t, text(b.String()), "a.csv", format.Options{}, csvlog.Mapping{})
	for i, at := range times {
		for k := range values[i] {
			tr := &c.Trends[k]
			if tr.Times[i] != at || math.Float64bits(tr.Values[i]) != math.Float64bits(values[i][k]) && !math.IsNaN(values[i][k]) {
				t.Errorf("row %d column %d: %v at %v, want %v at %v", i, k, tr.Values[i], tr.Times[i], values[i][k], at)
			}
		}
	}
	if c.Trends[0].Key != "readings.voltage.an" || c.Trends[0].Unit != "V" || c.Trends[1].Name != `import.a "b", c` || c.Trends[1].Values[0] != 1e-300 {
		t.Errorf("%+v", c.Trends)
	}
}

// No input makes the reader panic, or take more memory than the input allows.
func FuzzRead(f *testing.F) {
	for _, s := range []string{
		"time,v\n2026-03-01T00:00:00+01:00,1.5\n", "Zeit;kW\n1.3.2026 00:15;1.234,5\n1.3.2026 00:30;0,5\n", "02/28/2026 11:45 PM,\"1,234.5\"\n",
		"t,v\n1772323200,1\n", "\xff\xfea\x00,\x00", "a\tb\n#x\n2026-03-01\t1\n", "time,v\n2026-10-25 02:15,1\n2026-10-25 02:15,2\n",
	} {
		f.Add([]byte(s), uint8(0))
	}
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, b []byte, how uint8) {
		m := csvlog.Mapping{Starts: how&1 != 0, Header: csvlog.Header(how >> 1 & 3 % 3)}
		if how&8 != 0 {
			m.TimeForm = "YY-DD-MM hh:mm AM"
		}
		c, err := csvlog.Read(context.Background(), format.File{Dir: fstest.MapFS{"a": {Data: b}}, Name: "a"}, format.Options{Zone: zone, MaxBytes: 1 << 20}, m)
		if err != nil {
			return
		}
		for i := range c.Trends {
			if tr := &c.Trends[i]; len(tr.Values) != len(tr.Times) || len(tr.Values) > len(b) {
				t.Errorf("%d values at %d times of %d bytes", len(tr.Values), len(tr.Times), len(b))
			}
		}
		rows, _ := c.History()
		for i := range rows {
			if err := rows[i].Check(); err != nil {
				t.Error(err)
			}
		}
	})
}
