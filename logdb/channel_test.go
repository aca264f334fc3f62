package logdb_test

import (
	"errors"
	"strings"
	"testing"

	"metermanager/logdb"
)

// TestCatalogueHoldsWhatTheSystemNeeds lists the channels of system.md section 3.
func TestCatalogueHoldsWhatTheSystemNeeds(t *testing.T) {
	t.Parallel()
	energy := []string{"wh.received", "wh.delivered", "varh.received", "varh.delivered", "vah"}
	tests := []struct {
		prefix string
		names  []string
		unit   string
		agg    logdb.Aggregation
		covers bool
	}{
		{"readings.voltage.", []string{"an", "bn", "cn", "ab", "bc", "ca", "aux"}, "V", logdb.AggMean, false},
		{"readings.current.", []string{"a", "b", "c", "n"}, "A", logdb.AggMean, false},
		{"readings.", []string{"frequency"}, "Hz", logdb.AggMean, false},
		{"readings.power.", []string{"watts", "watts.a", "watts.b", "watts.c"}, "W", logdb.AggMean, false},
		{"readings.power.", []string{"vars", "vars.a", "vars.b", "vars.c"}, "var", logdb.AggMean, false},
		{"readings.power.", []string{"va", "va.a", "va.b", "va.c"}, "VA", logdb.AggMean, false},
		{"readings.power.", []string{"factor", "factor.a", "factor.b", "factor.c"}, "", logdb.AggMean, false},
		{"energy.interval.", energy[:2], "Wh", logdb.AggSum, true},
		{"energy.interval.", energy[2:4], "varh", logdb.AggSum, true},
		{"energy.interval.", energy[4:], "VAh", logdb.AggSum, true},
		{"energy.total.", energy[:2], "Wh", logdb.AggLast, false},
		{"energy.total.", energy[2:4], "varh", logdb.AggLast, false},
		{"energy.total.", energy[4:], "VAh", logdb.AggLast, false},
		{"demand.max.", []string{"watts.positive", "watts.negative"}, "W", logdb.AggMax, true},
		{"demand.max.", []string{"vars.positive", "vars.negative"}, "var", logdb.AggMax, true},
		{"demand.max.", []string{"va"}, "VA", logdb.AggMax, true},
		{"demand.max.", []string{"factor.positive", "factor.negative"}, "", logdb.AggMax, true},
		{"thd.voltage.", []string{"a", "b", "c"}, "", logdb.AggMean, false},
		{"thd.current.", []string{"a", "b", "c"}, "", logdb.AggMean, false},
		{"flicker.pst.", []string{"a", "b", "c"}, "", logdb.AggMean, false},
		{"flicker.plt.", []string{"a", "b", "c"}, "", logdb.AggMean, false},
	}
	n := 0
	for _, tt := range tests {
		for _, name := range tt.names {
			n++
			key := logdb.ChannelKey(tt.prefix + name)
			c := logdb.LookupChannel(key)
			if c.Key != key || c.Name == "" || c.Name == string(key) || c.Unit != tt.unit || c.Agg != tt.agg || c.CoversInterval != tt.covers {
				t.Errorf("%s: %+v, want unit %q, %s, covers %v", key, c, tt.unit, tt.agg, tt.covers)
			}
		}
	}
	if all := logdb.Catalogue(); len(all) != n {
		t.Errorf("the catalogue has %d channels, the table %d", len(all), n)
	}
}

// Extremes that are recorded beside a reading aggregate as extremes; nothing else changes by its ending.
func TestExtremes(t *testing.T) {
	t.Parallel()
	for key, want := range map[logdb.ChannelKey]logdb.Channel{
		"readings.voltage.an.min":        {Name: "Volts A-N minimum", Unit: "V", Phase: "an", Agg: logdb.AggMin},
		"thd.current.b.max":              {Name: "Current THD B maximum", Phase: "b", Agg: logdb.AggMax},
		"energy.interval.vah.max":        {Name: "energy.interval.vah.max"},
		"energy.total.vah.min":           {Name: "energy.total.vah.min"},
		"import.voltage.min":             {Name: "import.voltage.min"},
		"readings.voltage.an.min.max":    {Name: "readings.voltage.an.min.max"},
		"readings.power.watts.a.minimum": {Name: "readings.power.watts.a.minimum"},
	} {
		want.Key = key
		if got := logdb.LookupChannel(key); got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
}

func TestCatalogueIsSane(t *testing.T) {
	t.Parallel()
	keys, names := map[logdb.ChannelKey]bool{}, map[string]bool{}
	for _, c := range logdb.Catalogue() {
		if k, err := logdb.NormalizeChannel(string(c.Key)); err != nil || k != c.Key {
			t.Errorf("%s is not canonical: %q, %v", c.Key, k, err)
		}
		if keys[c.Key] || names[c.Name] {
			t.Errorf("%s %q stands twice", c.Key, c.Name)
		}
		keys[c.Key], names[c.Name] = true, true
		if got := logdb.LookupChannel(c.Key); got != c {
			t.Errorf("%s is looked up as %+v", c.Key, got)
		}
		if c.CoversInterval != (strings.HasPrefix(string(c.Key), "energy.interval.") || strings.HasPrefix(string(c.Key), "demand.")) {
			t.Errorf("%s covers an interval: %v", c.Key, c.CoversInterval)
		}
		if c.Phase != "" && !strings.HasSuffix(string(c.Key), "."+c.Phase) {
			t.Errorf("%s says phase %q", c.Key, c.Phase)
		}
	}
	logdb.Catalogue()[0].Unit = "changed"
	if logdb.Catalogue()[0].Unit == "changed" {
		t.Error("a caller changed the catalogue")
	}
}

func TestUnknownChannelIsStoredToo(t *testing.T) {
	t.Parallel()
	c := logdb.LookupChannel("own.channel_7.x-y")
	if c.Key != "own.channel_7.x-y" || c.Name == "" || c.Agg != logdb.AggMean || c.CoversInterval {
		t.Errorf("%+v", c)
	}
}

func TestNormalizeChannel(t *testing.T) {
	t.Parallel()
	long := "a." + strings.Repeat("b", 94)
	tests := []struct{ in, want string }{
		{"readings.voltage.an", "readings.voltage.an"}, {"reading.voltage.an", "readings.voltage.an"}, {"a.b", "a.b"},
		{"a-1.b_2", "a-1.b_2"}, {"a.b.c.d.e.f.g.h", "a.b.c.d.e.f.g.h"}, {long, long}, {"readingsx.y", "readingsx.y"},
		{"", ""}, {"a", ""}, {"a.", ""}, {".a", ""}, {"a..b", ""}, {"A.b", ""}, {"a b.c", ""}, {"a.b.c.d.e.f.g.h.i", ""},
		{long + "c", ""}, {"reading.", ""}, {"a.é", ""}, {"a.b\n", ""}, {"reading." + strings.Repeat("b", 88), ""},
	}
	for _, tt := range tests {
		got, err := logdb.NormalizeChannel(tt.in)
		if string(got) != tt.want || (err == nil) != (tt.want != "") || err != nil && !errors.Is(err, logdb.ErrInvalid) {
			t.Errorf("%q becomes %q, %v; want %q", tt.in, got, err, tt.want)
		}
	}
}

func TestAggregationNames(t *testing.T) {
	t.Parallel()
	var got []string
	for a := logdb.AggMean; a <= logdb.AggLast; a++ {
		got = append(got, a.String())
	}
	if strings.Join(got, " ") != "mean sum max min last" {
		t.Errorf("names %v", got)
	}
}
