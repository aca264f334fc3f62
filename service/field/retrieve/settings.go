package retrieve

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"

	"metermanager/service/field/device"
)

// readSettings reads what the log's records need to be decoded, makes the decoder and
// returns all of it as the snapshot that is kept with the records.
func (w *work) readSettings(ctx context.Context, s *session) (snapshot, error) {
	p := w.t.Profile
	snap := snapshot{Profile: p.ID, Zone: w.t.Zone.String(), Serial: w.t.Identity.Serial, Blocks: map[string]string{}}
	block := func(name string, addr device.Addr, regs int) ([]byte, error) {
		var all []byte
		for off := 0; off < regs; off += 120 {
			b, err := s.read(ctx, addr+device.Addr(off), min(120, regs-off))
			if err != nil {
				return nil, fmt.Errorf("read the %s settings of log %s: %w", name, w.log.Name, err)
			}
			all = append(all, b...)
		}
		snap.Blocks[name] = hex.EncodeToString(all)
		return all, nil
	}
	setup := w.t.Identity.Setup
	var regs []byte
	ct, ctn, ptn, ptd, ptf, energy := setup.Registers()
	for _, v := range [...]uint16{ct, ctn, ptn, ptd, ptf, energy} {
		regs = binary.BigEndian.AppendUint16(regs, v)
	}
	snap.Blocks["setup"] = hex.EncodeToString(regs)
	var err error
	switch w.log.Record {
	case device.RecordHistory:
		var b []byte
		if b, err = block("program", w.log.SettingsAddr, device.HistorySettings); err != nil {
			return snap, err
		}
		w.decoder, err = newHistory(p, b, setup)
	case device.RecordAlarm:
		var b []byte
		if b, err = block("limits", w.log.SettingsAddr, 5*p.Layouts.Alarm.Limits); err != nil {
			return snap, err
		}
		w.decoder, err = newAlarms(p, b, setup)
	case device.RecordPQ:
		var b []byte
		if b, err = block("pq", w.log.SettingsAddr, p.Layouts.PQ.SettingsRegs); err != nil {
			return snap, err
		}
		w.decoder = newPQ(p, w.log.SettingsAddr, b, setup)
	case device.RecordWaveform:
		var b []byte
		if b, err = block("waveform", p.Layouts.Waveform.RateAddr, 1); err != nil {
			return snap, err
		}
		w.decoder = &waves{lay: p.Layouts.Waveform, setup: setup, pre: int(b[1])}
	case device.RecordSystem:
		w.decoder = &systems{lay: p.Layouts.System}
	default:
		err = fmt.Errorf("%w: record %q", device.ErrProfile, w.log.Record)
	}
	return snap, err
}
