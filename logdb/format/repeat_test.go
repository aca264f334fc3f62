package format_test

import (
	"fmt"
	"testing"
	"time"

	"metermanager/logdb"
	"metermanager/logdb/format"
)

// A channel that comes again, as in a file with a table for each day, keeps its key; another channel with the
// same key, or the same channel twice in one table, gets a number.
func TestChannelsThatComeAgain(t *testing.T) {
	t.Parallel()
	volts := format.Channel{Name: "U", Unit: "V", Key: "readings.voltage.an"}
	other := format.Channel{Name: "U2", Unit: "V", Key: "readings.voltage.an"}
	day := func(n logdb.Millis, c ...format.Channel) (out []format.Trend) {
		times := []logdb.Millis{n * logdb.DayMillis, n*logdb.DayMillis + 1}
		for _, ch := range c {
			out = append(out, format.Trend{Channel: ch, Times: times, Values: []float64{1, 2}})
		}
		return out
	}
	c := format.Content{Trends: append(append(day(1, volts, other), day(2, other, volts)...), day(3, volts, volts)...)}
	var got []string
	rows, said := c.History()
	for _, h := range rows {
		got = append(got, fmt.Sprint(h.Channels))
		if err := h.Check(); err != nil {
			t.Error(err)
		}
	}
	want := "[[readings.voltage.an readings.voltage.an_2] [readings.voltage.an_2 readings.voltage.an] [readings.voltage.an readings.voltage.an_3]]"
	if fmt.Sprint(got) != want || len(said) != 0 {
		t.Errorf("%v, want %s (%v)", got, want, said)
	}
}

// Series of one channel are told apart by what they say of an interval, in keys, recordings and reports.
func TestStatistics(t *testing.T) {
	t.Parallel()
	main, least := format.Channel{Name: "Va HD 3", Unit: "V"}, format.Channel{Name: "Va HD 3", Unit: "V", Statistic: "min"}
	times, timing := []logdb.Millis{0, 1}, format.Uniform(0.001)
	c := format.Content{
		Trends: []format.Trend{{Channel: main, Times: times, Values: []float64{1, 2}}, {Channel: least, Times: times, Values: []float64{0, 1}}},
		Recordings: []format.Recording{{Start: time.Unix(0, 0), Channels: []format.Samples{
			{Channel: main, Timing: timing, Values: []float64{1}}, {Channel: least, Timing: timing, Values: []float64{1}}}}},
	}
	rows, _ := c.History()
	waves, _ := c.Entries(logdb.KindWaveform)
	got := fmt.Sprint(rows[0].Channels, waves[0].Waveform.Channels[0].Name, ", ", waves[0].Waveform.Channels[1].Name)
	if want := "[import.va-hd-3 import.va-hd-3.min]Va HD 3, Va HD 3 min"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if n, fits, err := c.Map("Va HD 3", "readings.voltage.an"); n != 4 || !fits || err != nil || c.Trends[0].Key != "readings.voltage.an" || c.Trends[1].Key != "readings.voltage.an.min" {
		t.Errorf("mapped %d, %v, %v: %s and %s", n, fits, err, c.Trends[0].Key, c.Trends[1].Key)
	}
	c.Recordings[0].Channels[1].Name = "Va HD 3"
	if r := c.Report("x"); r.Channels[0].Statistic != "" || r.Channels[1].Name != "Va HD 3" || r.Channels[1].Statistic != "min" {
		t.Errorf("%+v", r.Channels)
	}
}
