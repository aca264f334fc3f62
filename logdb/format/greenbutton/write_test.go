package greenbutton_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"iter"
	"math"
	"os"
	"testing"
	"time"

	"metermanager/logdb"
	"metermanager/logdb/format/greenbutton"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func intervals(list []greenbutton.Interval) iter.Seq2[greenbutton.Interval, error] {
	return func(yield func(greenbutton.Interval, error) bool) {
		for _, v := range list {
			if !yield(v, nil) {
				return
			}
		}
	}
}

// usage is two channels over the two days around a change of clocks.
func usage(t *testing.T) greenbutton.Usage {
	t.Helper()
	zone := mustZone(t, "Europe/Berlin")
	start := time.Date(2024, 10, 26, 0, 0, 0, 0, zone)
	var received, delivered []greenbutton.Interval
	for i := 1; i <= 49; i++ {
		end := logdb.MillisOf(start.Add(time.Duration(i) * time.Hour))
		received = append(received, greenbutton.Interval{End: end, Duration: time.Hour, Value: 1000.125 + float64(i)})
		delivered = append(delivered, greenbutton.Interval{End: end, Duration: time.Hour, Value: float64(i) / 10})
	}
	return greenbutton.Usage{Meter: "Main & <east>", Title: "Main & <east> meter", Zone: zone, Updated: start,
		Series: []greenbutton.Energy{
			{Channel: "energy.interval.wh.received", Interval: time.Hour, Intervals: intervals(received)},
			{Channel: "energy.interval.varh.delivered", Interval: time.Hour, Intervals: intervals(delivered)},
		}}
}

func TestWriteGolden(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	done, err := greenbutton.Write(&out, usage(t))
	if err != nil || done != (greenbutton.Written{Readings: 98}) {
		t.Fatalf("%+v, %v", done, err)
	}
	const golden = "testdata/written.xml"
	if *update {
		if err := os.WriteFile(golden, out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(out.Bytes(), want) {
		t.Errorf("differs from %s; -update rewrites it", golden)
	}
	if err := xml.Unmarshal(out.Bytes(), new(struct {
		XMLName xml.Name `xml:"http://www.w3.org/2005/Atom feed"`
	})); err != nil {
		t.Errorf("not well formed: %v", err)
	}
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	u := usage(t)
	var out bytes.Buffer
	if _, err := greenbutton.Write(&out, u); err != nil {
		t.Fatal(err)
	}
	feed, err := greenbutton.Read(&out, greenbutton.Config{})
	if err != nil || len(feed.Notes) != 0 || len(feed.MeterReadings) != 2 {
		t.Fatalf("%d meter readings, notes %v, %v", len(feed.MeterReadings), feed.Notes, err)
	}
	if feed.Title != u.Title || len(feed.UsagePoints) != 1 || feed.UsagePoints[0].Kind != 0 {
		t.Errorf("%q, usage points %+v", feed.Title, feed.UsagePoints)
	}
	for i, s := range u.Series {
		m := feed.MeterReadings[i]
		if key, doubt := m.Type.Channel(); key != s.Channel || doubt != "" || m.Type.IntervalLength != 3600 || m.Blocks != 2 {
			t.Errorf("%s reads as %s, %+v, %d blocks", s.Channel, key, m.Type, m.Blocks)
		}
		j := 0
		for v := range s.Intervals {
			r := m.Readings[j]
			if end := logdb.Millis(r.Start+r.Duration) * 1000; end != v.End || m.Type.Energy(r) != v.Value {
				t.Errorf("interval %d: %v Wh at %v, want %v at %v", j, m.Type.Energy(r), end, v.Value, v.End)
			}
			j++
		}
		if j != len(m.Readings) {
			t.Errorf("%d readings, want %d", len(m.Readings), j)
		}
	}
	if got, want := feed.Local.OffsetAt(time.Unix(1729987200, 0)), int64(7200); got != want {
		t.Errorf("an hour before the change the clock is %d s ahead, want %d", got, want)
	}
	if got, want := feed.Local.OffsetAt(time.Unix(1729990800, 0)), int64(3600); got != want {
		t.Errorf("after the change the clock is %d s ahead, want %d", got, want)
	}
}

func TestWriteRounds(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		value   float64
		rounded int
	}{{12, 0}, {0.001, 0}, {1.0 / 3, 1}, {1e13, 0}, {1e12 + 0.5, 0}, {1e14 / 3, 1}, {-4.25, 0}} {
		list := []greenbutton.Interval{{End: 900_000, Duration: 900 * time.Second, Value: tt.value}}
		u := greenbutton.Usage{Meter: "m", Series: []greenbutton.Energy{{Channel: "energy.interval.vah", Interval: 900 * time.Second, Intervals: intervals(list)}}}
		var out bytes.Buffer
		done, err := greenbutton.Write(&out, u)
		if err != nil || done.Rounded != tt.rounded {
			t.Errorf("%v: %+v, %v", tt.value, done, err)
			continue
		}
		feed, err := greenbutton.Read(&out, greenbutton.Config{})
		if err != nil {
			t.Fatal(err)
		}
		m := feed.MeterReadings[0]
		if got := m.Type.Energy(m.Readings[0]); (got == tt.value) != (tt.rounded == 0) || math.Abs(got-tt.value) > math.Abs(tt.value)*1e-8 {
			t.Errorf("%v reads as %v", tt.value, got)
		}
	}
}

func TestWriteRefuses(t *testing.T) {
	t.Parallel()
	broken := errors.New("the store broke")
	fails := func(yield func(greenbutton.Interval, error) bool) { yield(greenbutton.Interval{}, broken) }
	for _, tt := range []struct {
		channel logdb.ChannelKey
		seq     iter.Seq2[greenbutton.Interval, error]
		want    error
	}{
		{"readings.voltage.an", intervals(nil), logdb.ErrInvalid},
		{"energy.interval.wh.sideways", intervals(nil), logdb.ErrInvalid},
		{"energy.interval.therm", intervals(nil), logdb.ErrInvalid},
		{"energy.interval.vah", intervals([]greenbutton.Interval{{Value: math.NaN()}}), logdb.ErrInvalid},
		{"energy.interval.vah", intervals([]greenbutton.Interval{{Value: 1e300}}), logdb.ErrInvalid},
		{"energy.interval.vah", fails, broken},
	} {
		_, err := greenbutton.Write(new(bytes.Buffer), greenbutton.Usage{Series: []greenbutton.Energy{{Channel: tt.channel, Intervals: tt.seq}}})
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.channel, err, tt.want)
		}
	}
	full := fullDisk{}
	if _, err := greenbutton.Write(full, usage(t)); !errors.Is(err, errFull) {
		t.Errorf("a full disk: %v", err)
	}
}

var errFull = errors.New("full")

type fullDisk struct{}

func (fullDisk) Write(p []byte) (int, error) { return 0, fmt.Errorf("disk: %w", errFull) }
