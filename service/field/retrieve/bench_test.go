package retrieve_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"metermanager/logdb"
	"metermanager/logdb/sqlite"
	"metermanager/service/field/modbus"
	"metermanager/service/field/poll"
	"metermanager/service/field/retrieve"
	"metermanager/service/field/sim"
)

// BenchmarkRetrieve reads one log from a simulated meter over loopback: ten days of one-minute records, 2,048 of them, one waveform.
// Alignment, decoding and durable storing in a new log database are included.
func BenchmarkRetrieve(b *testing.B) {
	for _, c := range []struct {
		name, profile, log string
		sim                sim.Config
	}{
		{"shark/10_days", "eig-shark-200", "hist1", sim.Config{History: 10 * 24 * time.Hour}},
		{"shark/2048_records", "eig-shark-200", "hist1", sim.Config{History: 2 * 24 * time.Hour, MaxRecords: map[int]int{sim.LogHist1: 2048}}},
		{"shark/waveform", "eig-shark-200", "waveform", sim.Config{History: 20 * 24 * time.Hour, MaxRecords: map[int]int{sim.LogWaveform: 26}}},
		{"nexus/2048_records", "eig-nexus-1252", "hist1", sim.Config{Kind: sim.Nexus, History: 2 * 24 * time.Hour, MaxRecords: map[int]int{sim.LogHist1: 2048}}},
		{"nexus/waveform", "eig-nexus-1252", "waveform", sim.Config{Kind: sim.Nexus, History: 20 * 24 * time.Hour, MaxRecords: map[int]int{sim.LogWaveform: 1}}},
	} {
		b.Run(c.name, func(b *testing.B) { benchmarkRetrieve(b, c.sim, c.profile, c.log) })
	}
}

func benchmarkRetrieve(b *testing.B, config sim.Config, profile, name string) {
	config.Seed = 1
	m, err := sim.New(config)
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
	p, _ := profiles(b).Get(profile)
	unit := e.Unit(1, modbus.UnitConfig{WriteAllow: p.WriteList()})
	id, err := poll.NewSource(p, unit, nil).Identify(ctx, modbus.User)
	if err != nil {
		b.Fatal(err)
	}
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		b.Fatal(err)
	}
	log, _ := p.LogOf(name)
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
		if records += out.Records; out.Records == 0 {
			b.Fatal("nothing was retrieved")
		}
		if err := store.Close(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(records)/b.Elapsed().Seconds(), "records/s")
}

// BenchmarkPoll reads 200 meters without logs once, each over a loopback connection of its own, and stores their rows in a log database: a minute's
// work of a site. The processor's time of the whole process is reported as the share of one core that this takes each minute, and its memory (the
// far ends of the connections included).
func BenchmarkPoll(b *testing.B) {
	const meters = 200
	before := heap()
	gate := &bus{reads: map[byte][]time.Time{}}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	var served sync.WaitGroup
	served.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			served.Go(func() { gate.serve(c) })
		}
	})
	store, err := sqlite.Open(b.Context(), filepath.Join(b.TempDir(), "logs.db"), sqlite.Config{})
	if err != nil {
		b.Fatal(err)
	}
	p, _ := profiles(b).Get("eastron-sdm630")
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, meters)
	var sources []*poll.Source
	var keepers []*poll.Keeper
	at := time.Now().Truncate(time.Minute)
	for i := range meters {
		e, err := modbus.New(l.Addr().String(), modbus.Config{})
		if err != nil {
			b.Fatal(err)
		}
		go func() { done <- e.Run(ctx) }()
		sources = append(sources, poll.NewSource(p, e.Unit(1, modbus.UnitConfig{}), nil))
		keepers = append(keepers, poll.NewKeeper(store, logdb.MeterUID(fmt.Sprintf("m-%03d", i)), time.Minute, nil))
	}
	minute := func() {
		at = at.Add(time.Minute)
		var wg sync.WaitGroup
		for i := range meters {
			wg.Go(func() {
				readings, err := sources[i].Read(ctx, modbus.Live)
				if err == nil {
					err = keepers[i].Row(ctx, at, readings)
				}
				if err != nil {
					b.Error(err)
				}
			})
		}
		wg.Wait()
	}
	minute() // connects
	start := processorTime(b)
	for b.Loop() {
		minute()
	}
	b.ReportMetric(100*(processorTime(b)-start).Seconds()/float64(b.N)/60, "%core/min")
	b.ReportMetric(max(0, float64(heap())-float64(before))/1e6, "MB-heap")
	b.ReportMetric(resident(b), "MB-resident")
	cancel()
	for range meters {
		<-done
	}
	l.Close()
	gate.hangUp()
	served.Wait()
	if err := store.Close(); err != nil {
		b.Error(err)
	}
}

// heap is what the process holds after a collection.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// resident is the most that the process had in memory, in MB.
func resident(b *testing.B) float64 {
	b.Helper()
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Skip("the memory of the process is known on Linux only")
	}
	_, rest, _ := strings.Cut(string(text), "VmHWM:")
	fields := strings.Fields(rest)
	if len(fields) == 0 {
		b.Fatal("no VmHWM in the state of the process")
	}
	kb, err := strconv.ParseFloat(fields[0], 64)
	if err != nil {
		b.Fatal(err)
	}
	return kb * 1024 / 1e6
}

// processorTime is what the process has used so far.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	text, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		b.Skip("the processor's time is known on Linux only")
	}
	f := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	user, err1 := strconv.Atoi(f[11])
	system, err2 := strconv.Atoi(f[12])
	if err := errors.Join(err1, err2); err != nil {
		b.Fatal(err)
	}
	return time.Duration(user+system) * 10 * time.Millisecond // ticks of 100 Hz
}
