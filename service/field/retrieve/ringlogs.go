package retrieve

import (
	"context"
	"fmt"
	"math"
	"time"

	"metermanager/logdb"
	"metermanager/service/field/device"
)

// The logs of the ring family.

func newRingHistory(p *device.Profile, block []byte) (*history, error) {
	program, err := device.ParseRingProgram(block)
	if err != nil {
		return nil, fmt.Errorf("read the log's program: %w", err)
	}
	dec := p.RingHistoryDecoder(program)
	if len(dec.Channels) == 0 {
		return nil, fmt.Errorf("%w: the profile knows none of the log's values", ErrLogDisabled)
	}
	return &history{recordSize: program.Size, fixed: true, dec: dec}, nil
}

// newRingFlicker is of records at 10 minutes and at two hours.
func newRingFlicker(p *device.Profile) (*history, error) {
	lay := p.Layouts.Ring.Flicker
	if lay == nil {
		return nil, fmt.Errorf("%w: no layout of flicker", device.ErrProfile)
	}
	return &history{recordSize: device.RingFlickerSize, interval: 10 * time.Minute, flicker: device.NewRingFlicker(*lay)}, nil
}

// ringLimits decodes the limit trigger log: a record may begin and end events of several limits at once.
type ringLimits struct {
	events
	lay    *device.RingLayout
	limits []device.RingLimitSetting
}

func newRingLimits(p *device.Profile, block []byte) (*ringLimits, error) {
	limits, err := device.ParseRingLimits(block)
	if err != nil {
		return nil, err
	}
	return &ringLimits{events: events{recSize: device.RingLimitSize, same: sameRingLimit}, lay: p.Layouts.Ring, limits: limits}, nil
}

// sameRingLimit compares what stands in the records, where each comparison of a limit has a number.
func sameRingLimit(a, b *logdb.Excursion) bool { return a.LimitID == b.LimitID }

func (d *ringLimits) decode(ctx context.Context, w *work, recs [][]byte) ([]logdb.Batch, error) {
	d.expect(recs)
	for _, rec := range recs {
		d.consume(rec)
		r, err := device.ParseRingLimit(rec)
		if err != nil {
			d.broken(w, err)
			continue
		}
		at, _ := w.stamp(r.Time)
		for c := range r.State {
			for i, l := range d.limits {
				bit := uint32(1) << (31 - i)
				if r.Delta[c]&bit == 0 {
					continue
				}
				x := d.excursion(l, c, i)
				if r.State[c]&bit != 0 {
					d.start(w, at, x, rec)
				} else if err := d.end(ctx, w, at, x); err != nil {
					return nil, err
				}
			}
		}
	}
	return d.take(w), nil
}

// excursion is an event of comparison c of a limit. The record has no value; limit 1 to 32 are 0 to 31 for their first comparison, 32 to 63 for
// their second.
func (d *ringLimits) excursion(l device.RingLimitSetting, c, i int) logdb.Excursion {
	x := logdb.Excursion{
		LimitID: int64(device.RingLimits*c + i), Type: logdb.ExcursionAbove, Channel: d.lay.Channel(l.RingPointer),
		Worst: math.NaN(), WorstPercent: math.NaN(), Threshold: math.NaN(),
	}
	if l.Mode&d.lay.Limit.BelowMasks[c] != 0 {
		x.Type = logdb.ExcursionBelow
	}
	return x
}

// ringPQs decodes the PQ log, of which only the begin of an event is known: which phases were out of their limits, and since when.
type ringPQs struct {
	events
	lay device.RingPQLayout
}

// timed returns the last record, since a record alone makes an event.
func (d *ringPQs) timed(raw []byte) []byte {
	recs := d.records(raw)
	if len(recs) == 0 {
		return nil
	}
	return recs[len(recs)-1]
}

func (d *ringPQs) decode(_ context.Context, w *work, recs [][]byte) ([]logdb.Batch, error) {
	for _, rec := range recs {
		d.consume(rec)
		r, err := d.lay.Parse(rec)
		if err != nil {
			d.broken(w, err)
			continue
		}
		at, _ := w.stamp(r.Time)
		for _, x := range r.Channels() {
			d.add(logdb.Entry{
				Op: logdb.OpAdd, Log: w.log.Log, Run: w.run, Generation: w.gen, Time: at + logdb.Millis(r.Millis), Excursion: &x,
			}, nil)
		}
	}
	return d.take(w), nil
}

// ringWaves decodes recordings: a trigger record with its samples.
type ringWaves struct{ lay device.RingWaveLayout }

func (d *ringWaves) size() int                          { return device.RingTriggerSize + device.RingSamplesSize }
func (d *ringWaves) unit() int                          { return 1 }
func (d *ringWaves) begin(context.Context, *work) error { return nil }
func (d *ringWaves) records(raw []byte) [][]byte        { return [][]byte{raw} }
func (d *ringWaves) lost(context.Context, *work) ([]logdb.Batch, error) {
	return nil, nil
}

func (d *ringWaves) decode(_ context.Context, w *work, recs [][]byte) ([]logdb.Batch, error) {
	var b logdb.Batch
	for _, rec := range recs {
		e, err := d.recording(w, rec)
		if err != nil {
			e = w.unreadable(err)
		}
		b.Entries, b.Raw = append(b.Entries, e), append(b.Raw, rec)
	}
	return []logdb.Batch{b}, nil
}

func (d *ringWaves) recording(w *work, rec []byte) (logdb.Entry, error) {
	if len(rec) != d.size() {
		return logdb.Entry{}, fmt.Errorf("%w: a recording of %d bytes", device.ErrRecord, len(rec))
	}
	r, err := device.ParseRingTrigger(rec[:device.RingTriggerSize])
	if err != nil {
		return logdb.Entry{}, err
	}
	at, _ := w.stamp(r.Time)
	// The timing point may be before the trigger, which is no step of the clock.
	timing := at + logdb.Millis(r.Timing.Sub(r.Time).Milliseconds())
	wave, start, err := d.lay.Recording(r, rec[device.RingTriggerSize:], at, timing)
	if err != nil {
		return logdb.Entry{}, err
	}
	w.t.Correction.Waveform(&wave)
	return logdb.Entry{Op: logdb.OpAdd, Log: w.log.Log, Run: w.run, Generation: w.gen, Time: start, Waveform: &wave}, nil
}
