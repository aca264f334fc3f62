package retrieve

import (
	"context"
	"encoding/binary"
	"math"

	"metermanager/logdb"
	"metermanager/service/field/device"
)

// pq decodes PQ events: a record may start and end several phases at once.
type pq struct {
	events
	lay        device.PQLayout
	wave       device.WaveformLayout // counts to volts
	setup      device.Setup
	thresholds map[uint16]float64 // by bit, primary volts
}

func newPQ(p *device.Profile, settings device.Addr, block []byte, setup device.Setup) *pq {
	d := &pq{
		events: events{recSize: p.Layouts.PQ.Size, same: samePhase}, lay: p.Layouts.PQ, wave: p.Layouts.Waveform, setup: setup,
		thresholds: map[uint16]float64{},
	}
	for _, side := range [...]struct {
		surge bool
		addrs []device.Addr
	}{{true, d.lay.SurgeThresholds}, {false, d.lay.SagThresholds}} {
		for phase, a := range side.addrs {
			off := 2 * (int(a) - int(settings))
			if off < 0 || off+2 > len(block) {
				continue
			}
			count := float64(binary.BigEndian.Uint16(block[off:]))
			if count > 0 && d.lay.PercentPerCount > 0 {
				d.thresholds[d.lay.Bit(side.surge, phase)] = count * setup.VoltageFullScale() / (100 * math.Round(1/d.lay.PercentPerCount))
			}
		}
	}
	return d
}

// samePhase compares what stands in the records: a phase has another channel where the hookup was programmed anew.
func samePhase(a, b *logdb.Excursion) bool {
	return a.Type == b.Type && phaseOf(a.Channel) == phaseOf(b.Channel)
}

func phaseOf(c logdb.ChannelKey) int {
	for phase := range 3 {
		if c == device.PQChannel(phase, false) || c == device.PQChannel(phase, true) {
			return phase
		}
	}
	return -1
}

func (d *pq) decode(ctx context.Context, w *work, recs [][]byte) ([]logdb.Batch, error) {
	d.expect(recs)
	for _, rec := range recs {
		d.consume(rec)
		r, err := d.lay.Parse(rec)
		if err != nil {
			d.broken(w, err)
			continue
		}
		at, _ := w.stamp(r.Time)
		at += logdb.Millis(r.Millis)
		for _, surge := range [...]bool{true, false} {
			for phase := range 3 {
				if err := d.phase(ctx, w, at, r, surge, phase, rec); err != nil {
					return nil, err
				}
			}
		}
	}
	return d.take(w), nil
}

// phase looks at one bit of a record: started, ended, going on or not concerned.
func (d *pq) phase(ctx context.Context, w *work, at logdb.Millis, r device.PQRecord, surge bool, phase int, rec []byte) error {
	bit := d.lay.Bit(surge, phase)
	present, event := r.Present&bit != 0, r.Event&bit != 0
	if !present && !event {
		return nil
	}
	x := d.excursion(r, surge, phase, bit)
	w.t.Correction.Excursion(&x)
	switch {
	case present && event:
		d.start(w, at, x, rec)
	case event:
		return d.end(ctx, w, at, x)
	default: // going on; when nothing is open its start is unknown
		if i := d.find(&x); i >= 0 {
			o := &d.open[i].Event
			if now := closed(*o, x); now.Worst != o.Worst {
				*o, d.dirty = now, true
			}
		}
	}
	return nil
}

func (d *pq) excursion(r device.PQRecord, surge bool, phase int, bit uint16) logdb.Excursion {
	x := logdb.Excursion{Channel: device.PQChannel(phase, d.setup.Delta()), Type: logdb.ExcursionBelow, Threshold: math.NaN(), WorstPercent: math.NaN()}
	counts := r.Sag[phase]
	if surge {
		x.Type, counts = logdb.ExcursionAbove, r.Surge[phase]
	}
	x.Worst = d.wave.Primary(float64(counts), r.Calibration[phase], d.setup.PTRatio())
	if full := d.setup.VoltageFullScale(); full > 0 {
		x.WorstPercent = x.Worst / full * 100
	}
	if t, ok := d.thresholds[bit]; ok {
		x.Threshold = t
	}
	return x
}
