package greenbutton_test

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"metermanager/logdb/format/greenbutton"
)

func read(t testing.TB, name string) *greenbutton.Feed {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	feed, err := greenbutton.Read(f, greenbutton.Config{})
	if err != nil {
		t.Fatal(err)
	}
	return feed
}

// The facts were found in the files by another reader.
func TestFacts(t *testing.T) {
	t.Parallel()
	tests := []struct {
		file                           string
		points, meters, types, blocks  int
		readings                       int
		first, last, sum, lowest, most int64
		from, to                       int64
		reading                        string // unit, multiplier and interval of the first types
		channel                        string // of the first meter reading
		offset                         int64
		notes                          string
	}{
		{"coastal_single_family_sample.xml", 1, 1, 1, 1, 362, 703, 574, 291018, 510, 1290, 1293868800, 1295168400,
			"72 0 3600", "energy.interval.wh.received", -28800, "[a document ElectricPowerUsageSummary is not kept]"},
		{"ESPIIntervalBlock.xml", 0, 1, 0, 15, 444, 21021, 21021, 9917817, 21021, 25935, 1357016400, 1395288000,
			"", "", 0, "[the cost of a reading is not kept (444 times)]"},
		{"ESPIReadingTypes.xml", 0, 0, 22, 0, 0, 0, 0, 0, 0, 0, 0, 0,
			"72 0 300, 72 0 3600, 5 0 900", "", 0, "[]"},
		{"ESPIUsagePoints.xml", 43, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, "", "", 0, "[]"},
		{"test_usage_data_1.xml", 1, 1, 1, 5, 480, 282, 304, 511688, 273, 1659, 1330578000, 1331009100,
			"72 0 900", "energy.interval.wh.received", -18000,
			"[the cost of a reading is not kept (480 times) the quality of a reading is not kept: estimated by a reference day the quality of a reading is not kept: manually edited" +
				" a document ElectricPowerUsageSummary is not kept a document ElectricPowerQualitySummary is not kept]"},
	}
	for _, tt := range tests {
		t.Run(tt.file, func(t *testing.T) {
			t.Parallel()
			feed := read(t, tt.file)
			var all []greenbutton.Reading
			blocks := 0
			for _, m := range feed.MeterReadings {
				all = append(all, m.Readings...)
				blocks += m.Blocks
			}
			if len(feed.UsagePoints) != tt.points || len(feed.MeterReadings) != tt.meters || len(feed.Types) != tt.types ||
				blocks != tt.blocks || len(all) != tt.readings {
				t.Errorf("%d usage points, %d meter readings, %d types, %d blocks, %d readings",
					len(feed.UsagePoints), len(feed.MeterReadings), len(feed.Types), blocks, len(all))
			}
			if len(all) > 0 {
				checkReadings(t, all, [...]int64{tt.first, tt.last, tt.sum, tt.lowest, tt.most, tt.from, tt.to})
			}
			var types []string
			for _, r := range feed.Types[:min(3, len(feed.Types))] {
				types = append(types, fmt.Sprintf("%d %d %d", r.UnitOfMeasure, r.Multiplier, r.IntervalLength))
			}
			if got := strings.Join(types, ", "); got != tt.reading {
				t.Errorf("types %q, want %q", got, tt.reading)
			}
			if tt.channel != "" {
				if key, doubt := feed.MeterReadings[0].Type.Channel(); string(key) != tt.channel || doubt != "" {
					t.Errorf("channel %s, doubt %q", key, doubt)
				}
			}
			if tt.offset != 0 && (feed.Local == nil || feed.Local.OffsetSeconds != tt.offset) {
				t.Errorf("local time %+v", feed.Local)
			}
			if got := fmt.Sprint(feed.Notes); got != tt.notes {
				t.Errorf("notes %s", got)
			}
		})
	}
}

func checkReadings(t *testing.T, all []greenbutton.Reading, want [7]int64) {
	t.Helper()
	got := [7]int64{all[0].Value, all[len(all)-1].Value, 0, math.MaxInt64, math.MinInt64, math.MaxInt64, math.MinInt64}
	for _, r := range all {
		got[2] += r.Value
		got[3], got[4] = min(got[3], r.Value), max(got[4], r.Value)
		got[5], got[6] = min(got[5], r.Start), max(got[6], r.Start)
	}
	if got != want {
		t.Errorf("first, last, sum, lowest, highest, from, to: %v, want %v", got, want)
	}
}

func TestLocalTime(t *testing.T) {
	t.Parallel()
	feed := read(t, "test_usage_data_1.xml")
	newYork, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	for day := time.Date(2012, 1, 1, 0, 30, 0, 0, time.UTC); day.Year() == 2012; day = day.Add(time.Hour) {
		_, want := day.In(newYork).Zone()
		if got := feed.Local.OffsetAt(day); got != int64(want) {
			t.Fatalf("at %v the clock is %d s ahead of UTC, want %d", day, got, want)
		}
	}
}

// Every zone that changes its clocks twice a year by weekdays is said exactly.
func TestLocalTimeOf(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"UTC", "America/New_York", "Europe/Berlin", "Europe/London", "Australia/Sydney", "America/Santiago",
		"Asia/Kolkata", "Pacific/Auckland", "Australia/Lord_Howe", "America/St_Johns"} {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, year := range []int{2023, 2024, 2025} {
			l := greenbutton.LocalTimeOf(zone, year)
			for at := time.Date(year, 1, 2, 0, 0, 0, 0, time.UTC); at.Before(time.Date(year, 12, 31, 0, 0, 0, 0, time.UTC)); at = at.Add(30 * time.Minute) {
				if _, want := at.In(zone).Zone(); l.OffsetAt(at) != int64(want) {
					t.Errorf("%s at %v: %d s, want %d (%v)", name, at, l.OffsetAt(at), want, l)
					break
				}
			}
		}
	}
	if l := greenbutton.LocalTimeOf(mustZone(t, "America/New_York"), 2012); l.DSTStart.String() != "360E2000" || l.DSTEnd.String() != "B40E2000" {
		t.Errorf("rules %s and %s, want those of the sample file", l.DSTStart, l.DSTEnd)
	}
}

func mustZone(t *testing.T, name string) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

const feedHead = `<?xml version="1.0"?><feed xmlns="http://www.w3.org/2005/Atom">`

const oneBlock = `<IntervalBlock xmlns="http://naesb.org/espi"><IntervalReading><timePeriod><duration>900</duration><start>1330578000</start></timePeriod><value>%s</value></IntervalReading></IntervalBlock>`

func TestRefuses(t *testing.T) {
	t.Parallel()
	lol := `<?xml version="1.0"?><!DOCTYPE feed [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><feed xmlns="http://www.w3.org/2005/Atom"><title>&b;</title></feed>`
	for _, tt := range []struct{ name, text, want string }{
		{"empty", "", "no feed and no document of ESPI"},
		{"other XML", "<html><body/></html>", "no feed and no document of ESPI"},
		{"cut", feedHead + "<entry><title>x", "unexpected EOF"},
		{"an entity", lol, "invalid character entity &b;"},
		{"a long text", feedHead + strings.Repeat("x", 2<<20), "more than 1048576 bytes"},
		{"a long attribute", feedHead + `<entry a="` + strings.Repeat("x", 2<<20), "more than 1048576 bytes"},
		{"deep", feedHead + strings.Repeat("<a>", 100), "nested deeper than 64"},
		{"a multiplier", `<ReadingType xmlns="http://naesb.org/espi"><powerOfTenMultiplier>99</powerOfTenMultiplier></ReadingType>`, "the multiplier 10^99 is out of range"},
		{"a start", strings.Replace(oneBlock, "1330578000", "soon", 1), `start "soon": not a whole number`},
		{"a character set", `<?xml version="1.0" encoding="EBCDIC"?><feed/>`, `the character set "EBCDIC" is not supported`},
	} {
		_, err := greenbutton.Read(strings.NewReader(tt.text), greenbutton.Config{})
		if !errors.Is(err, greenbutton.ErrFormat) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
	if _, err := greenbutton.Read(strings.NewReader(feedHead+strings.Repeat("<entry/>", 11)+"</feed>"), greenbutton.Config{MaxEntries: 10}); err == nil {
		t.Error("the bound of entries does nothing")
	}
	block := strings.Repeat(fmt.Sprintf(oneBlock, "1"), 11)
	if _, err := greenbutton.Read(strings.NewReader(feedHead+block+"</feed>"), greenbutton.Config{MaxReadings: 10}); err == nil {
		t.Error("the bound of readings does nothing")
	}
}

func TestNotes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ text, want string }{
		{fmt.Sprintf(oneBlock, ""), "[a reading without a value]"},
		{fmt.Sprintf(oneBlock, "1.5"), `[a reading whose value "1.5" is no whole number]`},
		{strings.Replace(fmt.Sprintf(oneBlock, "1"), "<start>1330578000</start>", "", 1), "[a reading without a start]"},
		{strings.Replace(fmt.Sprintf(oneBlock, "1"), ">900<", ">99999999999<", 1), "[a reading of 99999999999 seconds]"},
	} {
		feed, err := greenbutton.Read(strings.NewReader(tt.text), greenbutton.Config{})
		if err != nil {
			t.Errorf("%s: %v", tt.text, err)
			continue
		}
		if got := fmt.Sprint(feed.Notes); got != tt.want || len(feed.MeterReadings[0].Readings) != 0 {
			t.Errorf("notes %s, want %s", got, tt.want)
		}
	}
}

// The types of a feed may stand behind the blocks, and in Latin-1.
func TestOrderAndCharset(t *testing.T) {
	t.Parallel()
	block := `<entry><link rel="self" href="UP/1/MeterReading/7/IntervalBlock/1"/><content>` + fmt.Sprintf(oneBlock, "12") + `</content></entry>`
	kind := `<entry><link rel="self" href="ReadingType/%s"/><content><ReadingType xmlns="http://naesb.org/espi"><flowDirection>%s</flowDirection><uom>72</uom><powerOfTenMultiplier>3</powerOfTenMultiplier></ReadingType></content></entry>`
	meter := `<entry><link rel="self" href="UP/1/MeterReading/7"/><link rel="related" href="ReadingType/2"/><title>Z` + "\xfc" + `rich</title><content><MeterReading xmlns="http://naesb.org/espi"/></content></entry>`
	text := `<?xml version="1.0" encoding="ISO-8859-1"?><feed xmlns="http://www.w3.org/2005/Atom">` + block + fmt.Sprintf(kind, "1", "1") + fmt.Sprintf(kind, "2", "19") + meter + `</feed>`
	feed, err := greenbutton.Read(strings.NewReader(text), greenbutton.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if len(feed.MeterReadings) != 1 || feed.MeterReadings[0].Title != "Zürich" || feed.MeterReadings[0].Type == nil {
		t.Fatalf("meter readings %+v", feed.MeterReadings)
	}
	m := feed.MeterReadings[0]
	if key, _ := m.Type.Channel(); key != "energy.interval.wh.delivered" || m.Type.Energy(m.Readings[0]) != 12000 {
		t.Errorf("%s %v", key, m.Type.Energy(m.Readings[0]))
	}
}

// A long file takes the memory of its readings, not of its text.
func TestMemory(t *testing.T) {
	one := `<entry><title>` + strings.Repeat("long ", 1000) + `</title></entry>`
	n := 4000
	text := feedHead + strings.Repeat(one, n) + "</feed>"
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	feed, err := greenbutton.Read(bytes.NewReader([]byte(text)), greenbutton.Config{})
	if err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if held := int64(after.HeapAlloc) - int64(before.HeapAlloc); held > 25<<20 {
		t.Errorf("%d bytes are held for a text of %d without readings", held, len(text))
	}
	runtime.KeepAlive(feed)
}

func FuzzRead(f *testing.F) {
	for _, name := range []string{"coastal_single_family_sample.xml", "test_usage_data_1.xml"} {
		b, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b[:min(len(b), 12000)])
	}
	f.Add([]byte(fmt.Sprintf(oneBlock, "1")))
	f.Add([]byte(`<!DOCTYPE a [<!ENTITY b "c">]><feed xmlns="http://www.w3.org/2005/Atom">&b;</feed>`))
	f.Fuzz(func(t *testing.T, b []byte) {
		feed, err := greenbutton.Read(bytes.NewReader(b), greenbutton.Config{MaxReadings: 1000, MaxEntries: 1000})
		if err != nil {
			if !errors.Is(err, greenbutton.ErrFormat) {
				t.Errorf("an error without its class: %v", err)
			}
			return
		}
		for _, m := range feed.MeterReadings {
			if m.Type != nil {
				m.Type.Channel()
			}
		}
	})
}
