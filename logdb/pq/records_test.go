package pq_test

import (
	"context"
	"os"
	"testing"

	"metermanager/logdb"
	"metermanager/logdb/format"
	"metermanager/logdb/format/comtrade"
	"metermanager/logdb/pq"
)

// record reads a recording of others.
func record(t *testing.T, name string, volts float64) *pq.Recording {
	t.Helper()
	c, err := comtrade.Codec().Read(context.Background(), format.File{Dir: os.DirFS("../format/comtrade/testdata"), Name: name}, format.Options{})
	if err != nil {
		t.Fatal(err)
	}
	entries, _ := c.Entries(logdb.KindWaveform)
	if len(entries) == 0 {
		t.Fatalf("%s holds no recording", name)
	}
	return pq.FromWaveform(entries[0].Waveform, logdb.Settings{NominalVolts: volts})
}

// TestSinglePoleTrip: a 275 kV line loses phase C to a fault, which is tripped alone and closed again after five seconds.
func TestSinglePoleTrip(t *testing.T) {
	t.Parallel()
	a, err := pq.Analyse(record(t, "strathmore.cfg", 0), pq.Options{})
	if err != nil || len(a.Found) == 0 {
		t.Fatalf("%+v, %v", a, err)
	}
	f := a.Found[0]
	if f.Kind != pq.Interruption || len(f.Phases) != 1 || f.WorstPhase != pq.C || f.AllPhases || f.Truncated {
		t.Errorf("%+v", f.Disturbance)
	}
	near(t, "start", f.StartSeconds, 0.982, 0.02)
	near(t, "end", f.EndSeconds, 6.084, 0.02)
	if c := f.Causes[0]; c.Name != "single-pole trip and reclosing" {
		t.Errorf("%+v", f.Causes)
	}
	near(t, "frequency", a.Hz, 49.89, 0.01)
}

// TestQuietRecord: four cycles of a 347/600 V site, in which nothing happens.
func TestQuietRecord(t *testing.T) {
	t.Parallel()
	a, err := pq.Analyse(record(t, "keating_1999.CFG", 347), pq.Options{})
	if err != nil || len(a.Found) != 0 {
		t.Fatalf("%+v, %v", a.Found, err)
	}
	for _, s := range a.Signals {
		if s.Quantity == pq.Voltage && s.Phase != pq.N && (s.LowRMS < 345 || s.HighRMS > 353.2) {
			t.Errorf("%s: %g to %g V", s.Name, s.LowRMS, s.HighRMS)
		}
	}
	near(t, "frequency", a.Hz, 59.97, 0.02)
}

// TestLineLost: all voltages of a line go after a fault and do not come back in the record.
func TestLineLost(t *testing.T) {
	t.Parallel()
	a, err := pq.Analyse(record(t, "wisp_3.cfg", 0), pq.Options{})
	if err != nil || len(a.Found) == 0 {
		t.Fatalf("%+v, %v", a, err)
	}
	f := a.Found[0]
	if f.Kind != pq.Interruption || !f.AllPhases || !f.Truncated || len(f.Phases) != 3 || f.Causes[0].Name != "interruption after a fault" {
		t.Errorf("%+v, %+v", f.Disturbance, f.Causes)
	}
}
