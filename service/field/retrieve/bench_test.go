package retrieve_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"metermanager/logdb/sqlite"
	"metermanager/service/field/modbus"
	"metermanager/service/field/poll"
	"metermanager/service/field/retrieve"
	"metermanager/service/field/sim"
)

// BenchmarkRetrieve reads ten days of one-minute records from one simulated Shark over
// loopback: alignment, decoding and durable storing in a new log database included.
func BenchmarkRetrieve(b *testing.B) {
	m, err := sim.New(sim.Config{Seed: 1, History: 10 * 24 * time.Hour})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 2)
	go func() { done <- m.Run(ctx) }()
	e, err := modbus.New(m.Addr().String(), modbus.Config{})
	if err != nil {
		b.Fatal(err)
	}
	go func() { done <- e.Run(ctx) }()
	defer func() { cancel(); <-done; <-done }()
	p, _ := profiles(b).Get("eig-shark-200")
	unit := e.Unit(1, modbus.UnitConfig{WriteAllow: p.WriteList()})
	id, err := poll.NewSource(p, unit, nil).Identify(ctx, modbus.User)
	if err != nil {
		b.Fatal(err)
	}
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		b.Fatal(err)
	}
	log, _ := p.LogOf("hist1")
	records := 0
	for b.Loop() {
		store, err := sqlite.Open(ctx, filepath.Join(b.TempDir(), "logs.db"), sqlite.Config{})
		if err != nil {
			b.Fatal(err)
		}
		r := &retrieve.Reader{Store: store, Priority: modbus.Logs}
		var st retrieve.LogState
		out, err := r.Log(ctx, &retrieve.Target{UID: uid, Profile: p, Zone: zone, Conn: unit, Identity: id}, log, &st, true)
		if err != nil {
			b.Fatal(err)
		}
		records += out.Records
		if err := store.Close(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(records)/b.Elapsed().Seconds(), "records/s")
}
