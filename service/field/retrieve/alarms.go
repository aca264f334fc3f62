package retrieve

import (
	"context"
	"fmt"
	"math"

	"metermanager/logdb"
	"metermanager/service/field/device"
)

// alarms decodes limit events.
type alarms struct {
	events
	profile *device.Profile
	limits  []device.LimitSetting
	setup   device.Setup
}

func newAlarms(p *device.Profile, block []byte, setup device.Setup) (*alarms, error) {
	limits, err := device.ParseLimits(block)
	if err != nil {
		return nil, err
	}
	return &alarms{events: events{recSize: device.AlarmRecordSize, same: sameAlarm}, profile: p, limits: limits, setup: setup}, nil
}

// sameAlarm compares what stands in the records: above and below are two.
func sameAlarm(a, b *logdb.Excursion) bool { return a.LimitID == b.LimitID && a.Type == b.Type }

func (d *alarms) decode(ctx context.Context, w *work, recs [][]byte) ([]logdb.Batch, error) {
	d.expect(recs)
	for _, rec := range recs {
		d.consume(rec)
		r, err := d.profile.Layouts.Alarm.Parse(rec)
		if err != nil {
			d.broken(w, err)
			continue
		}
		at, _ := w.stamp(r.Time)
		x := d.excursion(r)
		w.t.Correction.Excursion(&x)
		if r.Out {
			d.start(w, at, x, rec)
		} else if err := d.end(ctx, w, at, x); err != nil {
			return nil, err
		}
	}
	return d.take(w), nil
}

// nominalHz is the full scale of frequency limits.
const nominalHz = 60

func (d *alarms) excursion(r device.AlarmRecord) logdb.Excursion {
	x := logdb.Excursion{LimitID: int64(r.Limit), Type: logdb.ExcursionAbove, Channel: logdb.ChannelKey(fmt.Sprintf("limit.x%d", r.Limit))}
	var set int16
	var full float64
	if r.Limit < len(d.limits) {
		l := d.limits[r.Limit]
		x.Channel = logdb.ChannelKey(fmt.Sprintf("register.x%04x", uint16(l.Addr)))
		if p, ok := d.profile.PointAt(l.Addr); ok && p.Channel != "" {
			x.Channel = p.Channel
		}
		full = d.setup.FullScale(x.Channel, nominalHz)
		set = l.AboveSet
		if r.Below {
			set = l.BelowSet
		}
	}
	if r.Below {
		x.Type = logdb.ExcursionBelow
	}
	per := d.profile.Layouts.Alarm.PercentPerCount
	inv := math.Round(1 / per)
	percent := func(count int16) float64 { return float64(count) / inv }
	x.WorstPercent = percent(r.Count)
	x.Worst, x.Threshold = math.NaN(), math.NaN()
	if full > 0 {
		x.Worst, x.Threshold = float64(r.Count)*full/(100*inv), float64(set)*full/(100*inv)
	}
	return x
}
