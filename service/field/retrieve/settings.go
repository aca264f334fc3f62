package retrieve

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"metermanager/logdb"
	"metermanager/service/field/device"
	"metermanager/service/field/modbus"
	"metermanager/service/field/poll"
)

// readSettings reads what the log's records need to be decoded, makes the decoder and
// returns all of it as the snapshot that is kept with the records.
func (w *work) readSettings(ctx context.Context, c *caller) (snapshot, error) {
	p := w.t.Profile
	snap := snapshot{Profile: p.ID, Version: p.Version(), Zone: w.t.Zone.String(), Serial: w.t.Identity.Serial}
	if c := w.t.Correction; !c.IsZero() {
		snap.CT, snap.PT = c.CT, c.PT
	}
	var err error
	if w.blocks, err = w.readBlocks(ctx, c); err != nil {
		return snap, err
	}
	snap.Blocks = maps.Clone(w.blocks)
	setup := w.t.Identity.Setup
	var regs []byte
	ct, ctn, ptn, ptd, ptf, energy := setup.Registers()
	for _, v := range [...]uint16{ct, ctn, ptn, ptd, ptf, energy} {
		regs = binary.BigEndian.AppendUint16(regs, v)
	}
	snap.Blocks["setup"] = hex.EncodeToString(regs)
	w.decoder, err = snap.decoder(p, w.log)
	return snap, err
}

// readBlocks reads the settings of the log by itself.
func (w *work) readBlocks(ctx context.Context, c *caller) (blocks map[string]string, err error) {
	p := w.t.Profile
	blocks = map[string]string{}
	block := func(name string, addr device.Addr, regs int) error {
		all, err := readBlock(ctx, c, addr, regs)
		if err != nil {
			return fmt.Errorf("read the %s settings of log %s: %w", name, w.log.Name, err)
		}
		blocks[name] += hex.EncodeToString(all)
		return nil
	}
	switch w.log.Record {
	case device.RecordHistory:
		err = block("program", w.log.SettingsAddr, device.HistorySettings)
	case device.RecordAlarm:
		err = block("limits", w.log.SettingsAddr, 5*p.Layouts.Alarm.Limits)
	case device.RecordPQ:
		err = block("pq", w.log.SettingsAddr, p.Layouts.PQ.SettingsRegs)
	case device.RecordWaveform:
		err = block("waveform", p.Layouts.Waveform.RateAddr, 1)
	case device.RecordRingHistory:
		if err = block("program", w.log.SettingsAddr, device.RingPointerRegs); err == nil {
			err = block("program", w.log.SizeAddr, 1) // of a record
		}
	case device.RecordRingLimit:
		err = block("limits", w.log.SettingsAddr, device.RingLimitRegs)
	}
	return blocks, err
}

// sameSettings fails when the log's settings are no longer those that its records are decoded under: what was read before may be of either.
// A new program empties a historical log, so that records which follow on what was read before are not of one: that saves a slow line two requests.
func (w *work) sameSettings(ctx context.Context, c *caller) error {
	if w.t.Identity.HasSetup && w.scaled() {
		setup, err := poll.ReadSetup(ctx, w.t.Profile, c, c.priority)
		if err != nil {
			return fmt.Errorf("read the ratios again for log %s: %w", w.log.Name, err)
		}
		if w.rescaled(w.t.Identity.Setup, setup) {
			return fmt.Errorf("log %s: %w", w.log.Name, ErrRescaled)
		}
	}
	if w.log.IsHistory() && w.prev != nil {
		return nil
	}
	blocks, err := w.readBlocks(ctx, c)
	if err != nil {
		return err
	}
	if !maps.Equal(blocks, w.blocks) {
		return fmt.Errorf("log %s: %w", w.log.Name, ErrReprogrammed)
	}
	return nil
}

// rescaled is the detail of a generation that begins because numbers in the records mean something else.
const rescaled = "the meter's ratios or its energy format were changed"

// scaled reports whether the ratios or the energy format say what numbers in the log's records mean.
func (w *work) scaled() bool {
	switch w.log.Record {
	case device.RecordHistory:
		h, ok := w.decoder.(*history)
		return ok && slices.ContainsFunc(h.dec.Channels, func(c logdb.ChannelKey) bool { return strings.HasPrefix(string(c), "energy.") })
	case device.RecordAlarm, device.RecordPQ, device.RecordWaveform:
		return true
	}
	return false
}

// rescaled reports whether numbers in the log's records mean something else under another setup.
func (w *work) rescaled(old, now device.Setup) bool {
	if !w.scaled() {
		return false
	}
	if w.log.IsHistory() { // of primary values
		return old.Energy.Exponent() != now.Energy.Exponent()
	}
	old.Energy, now.Energy = device.EnergyFormat{}, device.EnergyFormat{}
	return old != now
}

// noteRescaled tells, once, of records that nobody can tell the scale of: they were made between the last one that is stored, before the ratios or
// the energy format were changed, and now.
func (w *work) noteRescaled(ctx context.Context, out *Outcome) error {
	text := fmt.Sprintf("%s after %s: what was recorded from then to the time of this note may be scaled wrongly (log %s%s", rescaled, w.lastAt, w.log.Name, seenByManager)
	told := false
	q := logdb.EventQuery{Meter: w.t.UID, Kind: logdb.KindSystem, First: w.lastAt, Last: logdb.MaxTime, Codes: []int64{int64(logdb.SystemSettingsChange)}}
	err := w.r.Store.ReadEvents(ctx, q, func(_ logdb.StreamID, e *logdb.Entry) error {
		told = told || e.System != nil && e.System.Description == text
		return nil
	})
	if err != nil {
		return fmt.Errorf("look for a noted change of the scale: %w", err)
	}
	if told {
		return nil
	}
	return w.append(ctx, logdb.Batch{Kind: logdb.KindSystem, Entries: []logdb.Entry{{
		Op: logdb.OpAdd, Time: max(w.lastAt, w.r.now()), System: &logdb.SystemEvent{Type: logdb.SystemSettingsChange, Description: text},
	}}}, out)
}

// block returns a settings block, nil when it was not kept.
func (s snapshot) block(name string) []byte {
	b, err := hex.DecodeString(s.Blocks[name])
	if err != nil {
		return nil
	}
	return b
}

// setup returns the ratios and the energy format as they were.
func (s snapshot) setup() device.Setup {
	var v [6]uint16
	b := s.block("setup")
	for i := range v {
		if len(b) >= 2*i+2 {
			v[i] = binary.BigEndian.Uint16(b[2*i:])
		}
	}
	return device.ParseSetup(v[0], v[1], v[2], v[3], v[4], v[5])
}

// decoder makes what decodes a log's records under these settings, by a profile.
func (s snapshot) decoder(p *device.Profile, log device.Log) (decoder, error) {
	setup := s.setup()
	switch log.Record {
	case device.RecordHistory:
		return newHistory(p, s.block("program"), setup)
	case device.RecordAlarm:
		return newAlarms(p, s.block("limits"), setup)
	case device.RecordPQ:
		return newPQ(p, log.SettingsAddr, s.block("pq"), setup), nil
	case device.RecordWaveform:
		b := s.block("waveform")
		if len(b) != 2 {
			return nil, fmt.Errorf("%w: waveform settings of %d bytes", device.ErrRecord, len(b))
		}
		return &waves{lay: p.Layouts.Waveform, setup: setup, pre: int(b[1])}, nil
	case device.RecordSystem:
		return systemEvents(p.Layouts.System, device.SystemRecordSize, device.ParseSystem, device.SystemLayout.Event), nil
	case device.RecordIO:
		return ioChanges(), nil
	}
	return s.ringDecoder(p, log)
}

// ringDecoder makes the decoder of a log of the ring family.
func (s snapshot) ringDecoder(p *device.Profile, log device.Log) (decoder, error) {
	switch log.Record {
	case device.RecordRingHistory:
		return newRingHistory(p, s.block("program"))
	case device.RecordRingFlicker:
		return newRingFlicker(p)
	case device.RecordRingRaw:
		return &systems{0, log.RingRaw}, nil
	case device.RecordRingLimit:
		return newRingLimits(p, s.block("limits"))
	case device.RecordRingPQ:
		return &ringPQs{events{recSize: device.RingPQSize}, p.Layouts.Ring.PQ}, nil
	case device.RecordRingWaveform:
		return &ringWaves{p.Layouts.Ring.Wave}, nil
	case device.RecordRingSystem:
		return systemEvents(p.Layouts.Ring.System, device.RingSystemSize, device.ParseRingSystem, device.SystemLayout.RingEvent), nil
	}
	return nil, fmt.Errorf("%w: record %q", device.ErrProfile, log.Record)
}

// changeSettings changes what is stored of a meter's settings, and tells whether it did. Several find parts of them at one moment: none undoes
// what another one found.
func (m *Manager) changeSettings(ctx context.Context, uid logdb.MeterUID, change func(s *logdb.Settings)) (changed bool, err error) {
	m.settings.Lock()
	defer m.settings.Unlock()
	old, err := m.store.Settings(ctx, uid)
	known := err == nil
	if err != nil && !errors.Is(err, logdb.ErrUnknownMeter) {
		return false, fmt.Errorf("read the meter's settings: %w", err)
	}
	s := old
	change(&s)
	if known && reflect.DeepEqual(s, old) {
		return false, nil
	}
	s.Version = ""
	if err := m.store.PutSettings(ctx, uid, s); err != nil {
		return false, fmt.Errorf("store the meter's settings: %w", err)
	}
	return true, nil
}

// noteIntervals keeps the interval of each historical log in the meter's settings, before the first record is
// read: what is known to be a minute or slower is uploaded row by row, at once.
func (u *unit) noteIntervals(ctx context.Context, t *Target) error {
	found := map[logdb.LogNo]time.Duration{}
	for _, log := range t.Profile.Logs {
		if log.Record != device.RecordHistory {
			continue
		}
		block, err := readBlock(ctx, &caller{conn: t.Conn, priority: modbus.Logs}, log.SettingsAddr, device.HistorySettings)
		if err != nil {
			return fmt.Errorf("read the program of log %s: %w", log.Name, err)
		}
		program, err := device.ParseHistoryProgram(block)
		if err != nil {
			continue // the log's own retrieval tells
		}
		found[log.Log] = program.Interval
	}
	if len(found) == 0 {
		return nil
	}
	_, err := u.m.changeSettings(ctx, t.UID, func(s *logdb.Settings) {
		for log, every := range found {
			setInterval(s, log, every)
		}
	})
	return err
}

// readBlock reads more registers than one request may ask for.
func readBlock(ctx context.Context, c *caller, addr device.Addr, regs int) ([]byte, error) {
	var all []byte
	for off := 0; off < regs; off += 120 {
		b, err := c.read(ctx, addr+device.Addr(off), min(120, regs-off))
		if err != nil {
			return nil, err
		}
		all = append(all, b...)
	}
	return all, nil
}

func setInterval(s *logdb.Settings, log logdb.LogNo, every time.Duration) {
	have := slices.Clone(s.LogIntervalsMillis) // s may share its array with what is stored
	for len(have) <= int(log) {
		have = append(have, 0)
	}
	have[log] = every.Milliseconds()
	s.LogIntervalsMillis = have
}
