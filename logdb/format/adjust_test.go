package format_test

import (
	"reflect"
	"testing"
	"time"

	"metermanager/logdb"
	"metermanager/logdb/format"
)

func TestSetKey(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		unit   string
		key    logdb.ChannelKey
		factor float64
		fits   bool
	}{
		{"kW", "readings.power.watts", 1e3, true}, {"", "readings.power.watts", 1, true}, {"V", "readings.power.watts", 1, false},
		{"furlong", "readings.voltage.an", 1, false}, {"%", "thd.voltage.a", 1e-2, true}, {"MWh", "energy.interval.wh.received", 1e6, true},
		{"mV", "readings.voltage.an", 1e-3, true}, {"kW", "import.power", 1, true}, {"furlong", "import.way", 1, true}, {"°C", "thd.voltage.a", 1, true},
	} {
		ch := format.Channel{Unit: c.unit}
		if fits := ch.SetKey(c.key); fits != c.fits || ch.Factor != c.factor || ch.Key != c.key {
			t.Errorf("%s as %s: factor %v, fits %v", c.unit, c.key, ch.Factor, fits)
		}
	}
}

func TestMap(t *testing.T) {
	t.Parallel()
	c := content()
	if n, fits, err := c.Map("kW", "readings.power.va"); n != 1 || fits || err != nil || c.Trends[0].Key != "readings.power.va" {
		t.Errorf("%d %v %v %s", n, fits, err, c.Trends[0].Key)
	}
	if n, _, err := c.Map("UA", "Van_Vab"); n != 1 || err != nil || c.Recordings[0].Channels[0].Name != "Van_Vab" {
		t.Errorf("%d %v", n, err)
	}
	if _, _, err := c.Map("kW", "No Key"); err == nil {
		t.Error("no key is taken")
	}
	if n, _, _ := c.Map("nothing", "import.x"); n != 0 {
		t.Errorf("%d channels of no such name", n)
	}
	side := content()
	side.ToPrimary()
	if v := side.Recordings[0].Channels[0].Values[0]; v != 10 {
		t.Errorf("a secondary 1 in kV with the ratio 10 is a primary %v", v)
	}
	c.AsRecorded()
	if e, _ := c.Entries(logdb.KindWaveform); e[0].Waveform.Channels[0].Samples[0] != 1000 { // kV, but not times the ratio
		t.Errorf("%v", e[0].Waveform.Channels[0].Samples)
	}
}

// A stored recording goes to a file's form and back unchanged.
func TestRecordingOf(t *testing.T) {
	t.Parallel()
	entries, _ := content().Entries(logdb.KindWaveform)
	entries[0].Waveform.Channels = append(entries[0].Waveform.Channels, logdb.WaveChannel{Name: "angle [deg]", Samples: []float64{1, 2, 3}})
	for i := range entries {
		r := format.RecordingOf(&entries[i], time.UTC)
		again, said := (&format.Content{Recordings: []format.Recording{r}}).Entries(logdb.KindWaveform)
		if len(again) != 1 || len(said) > 0 || again[0].ContentDigest() != entries[i].ContentDigest() && !reflect.DeepEqual(again[0], entries[i]) {
			t.Errorf("%+v\n%+v", *again[0].Waveform, *entries[i].Waveform)
		}
	}
	if units := format.RecordingOf(&entries[0], time.UTC).Channels; units[0].Unit != "V" || units[len(units)-1].Name != "digin 3" {
		t.Errorf("%+v", units)
	}
}
