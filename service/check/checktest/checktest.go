package checktest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"time"

	"metermanager/cloudsync"
	"metermanager/cloudsync/clouddb"
	"metermanager/logdb"
	"metermanager/logdb/sqldb"
	"metermanager/logdb/sqlite"
	"metermanager/service/cloud/account"
	"metermanager/service/config"
	"metermanager/service/field/retrieve"
	"metermanager/service/metadb"
)

// Meter is the meter of which the folder holds data.
const Meter = logdb.MeterUID("0f8d2c64-5f0e-4f3c-9a8e-3d1c7b1e0a01")

// Password is the sealed password of the cloud destination.
const Password = "a sealed password"

// Start is when the data begin.
var Start = logdb.MillisOf(time.Date(2026, 3, 27, 0, 0, 0, 0, time.UTC))

const (
	day    = logdb.DayMillis
	minute = logdb.Millis(60_000)
)

var now = func() time.Time { return (Start + 10*day).Time() }

// MasterKey is the key of the folder's secrets.
func MasterKey() []byte {
	key := make([]byte, 32)
	for i := range key {
		key[i] = byte(37*i + 11)
	}
	return key
}

// Make fills a data folder: both databases, the master key, a configuration and an archive-like file.
func Make(ctx context.Context, dir string) error {
	if err := os.MkdirAll(filepath.Dir(config.MasterKeyFile(dir)), 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(config.MasterKeyFile(dir), MasterKey(), 0o600); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, config.FileName), []byte("{\"roles\": [\"site\", \"cloud\"]}\n"), 0o600); err != nil {
		return err
	}
	if err := makeMeta(ctx, dir); err != nil {
		return fmt.Errorf("make the database of meters and users: %w", err)
	}
	if err := makeLogs(ctx, dir); err != nil {
		return fmt.Errorf("make the log database: %w", err)
	}
	return nil
}

func makeMeta(ctx context.Context, dir string) (err error) {
	db, err := sqldb.Open(ctx, config.MetaFile(dir), sqldb.Config{Now: now})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	store, err := metadb.OpenCloud(ctx, db)
	if err != nil {
		return err
	}
	sealer, err := account.NewSealer(MasterKey())
	if err != nil {
		return err
	}
	accounts, err := account.New(store, sealer, account.Config{BcryptCost: 4, Now: now})
	if err != nil {
		return err
	}
	_, err = accounts.EnsureBootstrap(ctx, account.Bootstrap{User: "owner", Password: "a long password", Customer: "Ours", Key: account.KeyPrefix + "0123456789abcdefghijklmnopqrstuvwxyzabcd"})
	if err != nil {
		return err
	}
	field, err := metadb.OpenField(ctx, db)
	if err != nil {
		return err
	}
	if err := field.PutMeter(ctx, retrieve.Meter{UID: Meter, Name: "main incomer", Address: "192.0.2.7:502", Unit: 1, Profile: "eig-shark-200", Zone: "Europe/Berlin", Added: Start}); err != nil {
		return err
	}
	sync, err := clouddb.New(ctx, db, clouddb.Config{MasterKey: MasterKey()})
	if err != nil {
		return err
	}
	_, err = sync.PutDestination(ctx, cloudsync.Destination{Name: "cloud", Enabled: true, Host: "cloud.example.net", User: "engineer", Password: Password})
	return err
}

func makeLogs(ctx context.Context, dir string) (err error) {
	n := 0
	s, err := sqlite.Open(ctx, config.LogsFile(dir), sqlite.Config{Now: now, NewJournalID: func() logdb.JournalID {
		n++
		return logdb.JournalID(fmt.Sprintf("%024x00000000", n))
	}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if err := s.PutSettings(ctx, Meter, logdb.Settings{UID: Meter, Name: "main incomer", Make: "EIG", Model: "Shark 200", Serial: "1", Zone: "Europe/Berlin"}); err != nil {
		return err
	}
	snapshot, err := s.PutSnapshot(ctx, Meter, []byte("a settings block"))
	if err != nil {
		return err
	}
	for _, b := range batches() {
		b.Meter, b.Snapshot, b.At = Meter, snapshot, Start+9*day
		if _, err := s.Append(ctx, b); err != nil {
			return err
		}
	}
	if err := s.Compact(ctx, Meter); err != nil {
		return err
	}
	return addLate(ctx, s)
}

// batches are what the node's own journals hold.
func batches() []logdb.Batch {
	add := func(at logdb.Millis, fill func(*logdb.Entry)) logdb.Entry {
		e := logdb.Entry{Op: logdb.OpAdd, Time: at}
		fill(&e)
		return e
	}
	wave := logdb.Waveform{End: Start + day + 20, SampleIntervalMillis: 0.390625, TriggerTime: Start + day + 10, FrequencyHz: 50,
		RMS: []logdb.NamedValue{{Name: "Van", Value: 143.2}}, Triggers: []string{"Van=Sag_start"}, Digital: make([]byte, 52)}
	for _, name := range []string{"Van_Vab", "Ia"} {
		c := logdb.WaveChannel{Name: name}
		for i := range 52 {
			c.Samples = append(c.Samples, math.Round(3250*math.Sin(2*math.Pi*float64(i)/51.2))/10)
		}
		wave.Channels = append(wave.Channels, c)
	}
	sag := logdb.Excursion{DurationSeconds: 0.083, Channel: "readings.voltage.bn", Type: logdb.ExcursionBelow, Worst: 143.2, WorstPercent: 62, Threshold: 207}
	high := logdb.Excursion{DurationSeconds: 300, Channel: "readings.power.watts", LimitID: 3, Type: logdb.ExcursionAbove, Worst: 61200, WorstPercent: 102, Threshold: 60000}
	return []logdb.Batch{
		history(),
		{Kind: logdb.KindWaveform, Entries: []logdb.Entry{add(Start+day, func(e *logdb.Entry) { e.Waveform = &wave })}, Raw: [][]byte{{1, 2, 3}}},
		{Kind: logdb.KindSystem, Entries: []logdb.Entry{
			add(Start+day, func(e *logdb.Entry) { e.System = &logdb.SystemEvent{Type: logdb.SystemPowerUp, Code: 7} }),
			add(Start+day, func(e *logdb.Entry) {
				e.System = &logdb.SystemEvent{Type: logdb.SystemTimeChanged, Description: "set back by 2 s"}
			}),
		}},
		{Kind: logdb.KindLimit, Entries: []logdb.Entry{add(Start+2*day, func(e *logdb.Entry) { e.Excursion = &high })}},
		{
			Kind: logdb.KindPQ, Entries: []logdb.Entry{add(Start+day, func(e *logdb.Entry) { e.Excursion = &sag })},
			Open: &logdb.OpenSet{Starts: []logdb.OpenStart{{Start: Start + 5*day, Event: sag, Raw: []byte{9}}}},
		},
	}
}

// history is three days at 15 minutes around a change of the clock, some values absent, one that is no decimal.
func history() logdb.Batch {
	h := logdb.History{Channels: []logdb.ChannelKey{"readings.voltage.an", "energy.interval.wh.received"}, Columns: make([][]float64, 2)}
	var raw [][]byte
	for i := range 3 * 96 {
		h.Times = append(h.Times, Start+day+logdb.Millis(i)*15*minute)
		volts := 230 + math.Round(30*math.Sin(float64(i)/9))/10
		if i%50 == 7 {
			volts = math.NaN()
		}
		if i == 100 {
			volts = math.Pi
		}
		h.Columns[0] = append(h.Columns[0], volts)
		h.Columns[1] = append(h.Columns[1], float64(1000+i*7%300))
		raw = append(raw, []byte{byte(i >> 8), byte(i), 0x55})
	}
	return logdb.Batch{Kind: logdb.KindHistorical, Rows: []logdb.History{h}, Raw: raw}
}

// addLate adds what comes after the compactor: a change, a gap, pages of others with and without positions.
func addLate(ctx context.Context, s *sqlite.Store) error {
	first := logdb.Entry{Op: logdb.OpAdd, Position: 1, Time: Start + day, Row: &logdb.Row{
		Channels: []logdb.ChannelKey{"readings.voltage.an", "energy.interval.wh.received"}, Values: []float64{230, 1000},
	}}
	change := logdb.Entry{
		Op: logdb.OpRevise, Target: 1, Replaces: first.ContentDigest(), Time: Start + day, By: "engineer", At: Start + 9*day, Why: "the transformer's ratio was wrong",
		Row: &logdb.Row{Channels: first.Row.Channels, Values: []float64{231, 1001}},
	}
	gap := logdb.Entry{Op: logdb.OpGap, Time: Start + 4*day, Gap: &logdb.Gap{From: Start + 4*day, To: Start + 4*day + 60*minute, Cause: "unreachable", Detail: "no answer"}}
	if _, err := s.Append(ctx, logdb.Batch{Meter: Meter, Kind: logdb.KindHistorical, Entries: []logdb.Entry{change, gap}, At: Start + 9*day}); err != nil {
		return err
	}
	rows := logdb.History{Log: 1, Channels: []logdb.ChannelKey{"readings.frequency"}, Columns: [][]float64{{50, 50.01, 49.99}},
		Times: []logdb.Millis{Start, Start + minute, Start + 2*minute}, Positions: []logdb.Position{1, 2, 4}}
	other := logdb.StreamID{Journal: "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", Policy: "1"}
	pages := []logdb.Page{
		{Kind: logdb.KindHistorical, Stream: other, Rows: []logdb.History{rows}, JournalEnd: 4,
			Fates: []logdb.FateRange{{First: 3, Last: 3, Fate: logdb.FateNotChosen, FirstTime: Start, LastTime: Start}}},
		{Kind: logdb.KindSystem, Source: "key:1", Entries: []logdb.Entry{{Op: logdb.OpAdd, Time: Start, System: &logdb.SystemEvent{Type: logdb.SystemReset}}}},
	}
	for _, p := range pages {
		p.Meter = Meter
		if _, err := s.Accept(ctx, p, logdb.Limits{}); err != nil {
			return err
		}
	}
	return nil
}

// Content is a text of everything that a log store holds of the meter: streams, live records, digests of every day. Two
// stores with the same content hold the same records.
func Content(ctx context.Context, s *sqlite.Store) (string, error) {
	out := ""
	for _, kind := range logdb.Kinds {
		streams, err := s.Streams(ctx, Meter, kind)
		if err != nil {
			return "", err
		}
		for _, st := range streams {
			days, err := s.Digests(ctx, Meter, kind, st.Stream)
			if err != nil {
				return "", err
			}
			out += fmt.Sprintf("%s %s own=%v end=%d fates=%v\n", kind, st.Stream, st.Own, st.JournalEnd, st.Fates.Ranges())
			for _, d := range days {
				out += fmt.Sprintf("  %d %s %d: %d %x\n", d.Log, d.Channel, d.Day, d.Data.Count, d.Data.Sum)
			}
		}
	}
	return out, nil
}

// SetByHand changes a database as nobody should.
func SetByHand(ctx context.Context, path, query string) (err error) {
	db, err := sqldb.Open(ctx, path, sqldb.Config{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	loose, err := db.PrepareWrite(ctx, "PRAGMA foreign_keys = OFF")
	if err != nil {
		return err
	}
	if _, err := loose.ExecContext(ctx); err != nil {
		return err
	}
	return db.Write(ctx, func(tx *sql.Tx) error {
		r, err := tx.ExecContext(ctx, query)
		if err != nil {
			return err
		}
		if n, err := r.RowsAffected(); err != nil || n == 0 {
			return errors.Join(fmt.Errorf("%q changed nothing", query), err)
		}
		return nil
	})
}
