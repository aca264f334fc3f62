package verify

import (
	"math"
	"slices"
	"strings"
	"testing"

	"metermanager/logdb"
	"metermanager/logdb/limit"
	"metermanager/rpc/api"
)

// What a receiver shortened is what its limits make of the recording, and nothing else with its name.
func TestShortenedByTheReceiver(t *testing.T) {
	t.Parallel()
	recording := func() logdb.Entry {
		w := &logdb.Waveform{End: 5000 + 4096/10, SampleIntervalMillis: 0.1, TriggerTime: 5200, FrequencyHz: 50, Triggers: []string{"Van=Sag_start"}}
		for _, name := range []string{"Van", "Ia"} {
			c := logdb.WaveChannel{Name: name}
			for i := range 4096 {
				c.Samples = append(c.Samples, math.Round(1000*math.Sin(float64(i)/9)))
			}
			w.Channels = append(w.Channels, c)
		}
		return logdb.Entry{Position: 7, Op: logdb.OpAdd, Time: 5000, Waveform: w}
	}
	whole := recording()
	sent, _ := limit.ShortenEntry(&whole, logdb.Limits{WaveformSamples: 2048, WaveformSamplesPerCycle: 256})
	for name, tt := range map[string]struct {
		here   logdb.Entry
		limits logdb.Limits
		alter  func(w *logdb.Waveform)
		same   bool
	}{
		"the whole":               {whole, logdb.Limits{WaveformSamples: 2048, WaveformSamplesPerCycle: 256}, nil, true},
		"every fourth sample":     {whole, logdb.Limits{WaveformSamplesPerCycle: 50}, nil, true},
		"a shortened one":         {sent, logdb.Limits{WaveformSamples: 512}, nil, true},
		"a sample altered":        {whole, logdb.Limits{WaveformSamples: 2048}, func(w *logdb.Waveform) { w.Channels[1].Samples[100]++ }, false},
		"altered, of a shortened": {sent, logdb.Limits{WaveformSamples: 512}, func(w *logdb.Waveform) { w.Channels[0].Samples[3]++ }, false},
		"altered and not shorter": {sent, logdb.Limits{}, func(w *logdb.Waveform) { w.Channels[0].Samples[3]++ }, false},
		"a channel missing":       {whole, logdb.Limits{WaveformSamples: 2048}, func(w *logdb.Waveform) { w.Channels = w.Channels[:1] }, false},
		"of another":              {whole, logdb.Limits{WaveformSamples: 2048}, func(w *logdb.Waveform) { w.Source.Digest[0]++ }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			there, changed := limit.ShortenEntry(&tt.here, tt.limits)
			if changed != (name != "altered and not shorter") {
				t.Fatalf("shortened: %v", changed)
			}
			w := *there.Waveform
			w.Channels = slices.Clone(w.Channels)
			for c := range w.Channels {
				w.Channels[c].Samples = slices.Clone(w.Channels[c].Samples)
			}
			if w.Source != nil {
				source := *w.Source
				w.Source = &source
			}
			if there.Waveform = &w; tt.alter != nil {
				tt.alter(&w)
			}
			if same := shortens(&tt.here, &there); same != tt.same {
				t.Errorf("called the same: %v, want %v", same, tt.same)
			}
		})
	}
}

// A record that is there can be forgotten and sent again; one that is lost there cannot.
func TestAdviceForTheCloud(t *testing.T) {
	missing := []api.VerifyRecord{{Place: logdb.PlaceEntry, Fault: logdb.FaultMissing, Position: 23}}
	altered := []api.VerifyRecord{{Place: logdb.PlaceEntry, Fault: logdb.FaultAltered, Position: 23}}
	for name, c := range map[string]struct {
		day  api.VerifyDay
		want string
	}{
		"lost, as compared":       {api.VerifyDay{Between: SiteCloud, Here: 5, There: 4}, "put back a backup of the cloud"},
		"altered, as compared":    {api.VerifyDay{Between: SiteCloud, Here: 5, There: 5}, "forget"},
		"more than was sent":      {api.VerifyDay{Between: SiteCloud, Here: 5, There: 6}, "put back a backup of this node"},
		"lost, by its claim":      {api.VerifyDay{Between: CloudClaim, Records: missing}, "put back a backup of the cloud"},
		"altered, by its claim":   {api.VerifyDay{Between: CloudClaim, Records: altered}, "forget"},
		"lost here, by the claim": {api.VerifyDay{Between: SiteClaim, Records: missing}, "put back a backup of this node"},
	} {
		if got := advice(&c.day); !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q in it", name, got, c.want)
		}
	}
}
