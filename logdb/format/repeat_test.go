package format_test

import (
	"fmt"
	"testing"

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
