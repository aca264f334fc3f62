package sim_test

import (
	"context"
	"encoding/hex"
	"testing"
	"time"

	"metermanager/service/field/sim"
)

// BenchmarkWindow makes and answers full windows of the one-minute log, without a network.
func BenchmarkWindow(b *testing.B) {
	c := clockAt(epoch.Add(60 * 24 * time.Hour))
	m, err := sim.New(sim.Config{Seed: 1, Start: epoch, Now: c.now, NotReadyEvery: -1})
	if err != nil {
		b.Fatal(err)
	}
	request := func(s string) []byte {
		pdu, err := hex.DecodeString(s)
		if err != nil {
			b.Fatal(err)
		}
		return m.Answer(pdu)
	}
	request("06c34f0280")
	request("10c350000306050100000000")
	n := 0
	for b.Loop() {
		if request("03c351007d")[2] != 0 {
			b.Fatal("not ready")
		}
		if n += 5; n > 80_000 {
			request("10c35100020400000000")
			n = 0
		}
	}
	b.ReportMetric(5*float64(b.N)/b.Elapsed().Seconds(), "records/s")
}

// BenchmarkStart makes a meter with a year of history and reads the state of its largest log.
func BenchmarkStart(b *testing.B) {
	c := clockAt(epoch.AddDate(1, 0, 0))
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	for b.Loop() {
		m, err := sim.New(sim.Config{Seed: 1, Start: epoch, Now: c.now})
		if err != nil {
			b.Fatal(err)
		}
		status, _ := hex.DecodeString("03c7570010")
		live, _ := hex.DecodeString("0305db0008")
		m.Answer(status)
		m.Answer(live)
		if err := m.Run(ended); err != nil { // closes the port
			b.Fatal(err)
		}
	}
}
