package logdb

import (
	"fmt"
	"math"
	"unicode/utf8"
)

// checkBody reports the first rule that e's record breaks. What no wire format can carry unchanged
// (infinities, text that is not UTF-8, a name that would collide with another member) is refused here, at every
// node alike: else the digests of two nodes would differ for ever.
func (e *Entry) checkBody() error {
	if e.Op != OpGap && e.Gap != nil {
		return fmt.Errorf("%w: a %s holds a gap", ErrInvalid, e.Op)
	}
	if err := checkText(e.By, e.Why); err != nil {
		return err
	}
	switch {
	case e.Row != nil:
		return e.Row.check()
	case e.System != nil:
		return checkText(e.System.Description)
	case e.Excursion != nil:
		return e.Excursion.check()
	case e.Gap != nil:
		if e.Gap.From < MinTime || e.Gap.To > MaxTime {
			return fmt.Errorf("%w: a gap from %d to %d is out of range", ErrInvalid, e.Gap.From, e.Gap.To)
		}
		if e.Position != 0 && e.Gap.Replaces >= e.Position {
			return fmt.Errorf("%w: the gap at %d replaces that at %d", ErrInvalid, e.Position, e.Gap.Replaces)
		}
		return checkText(string(e.Gap.Cause), e.Gap.Detail)
	case e.Waveform != nil:
		return e.Waveform.check(e.Time)
	}
	return nil
}

func (r *Row) check() error {
	if len(r.Channels) != len(r.Values) {
		return fmt.Errorf("%w: a row of %d channels and %d values", ErrInvalid, len(r.Channels), len(r.Values))
	}
	seen := make(map[ChannelKey]bool, len(r.Channels))
	for i, c := range r.Channels {
		if seen[c] {
			return fmt.Errorf("%w: channel %s stands twice in a row", ErrInvalid, c)
		}
		seen[c] = true
		if err := checkChannel(c); err != nil {
			return err
		}
		if math.IsNaN(r.Values[i]) || math.IsInf(r.Values[i], 0) {
			return fmt.Errorf("%w: the value %v of %s stands in a row", ErrInvalid, r.Values[i], c)
		}
	}
	return nil
}

func (x *Excursion) check() error {
	if x.DurationSeconds < 0 {
		return fmt.Errorf("%w: duration %v s", ErrInvalid, x.DurationSeconds)
	}
	for _, v := range [...]float64{x.DurationSeconds, x.Worst, x.WorstPercent, x.Threshold} {
		if math.IsInf(v, 0) {
			return fmt.Errorf("%w: an infinite value in an event of %s", ErrInvalid, x.Channel)
		}
	}
	return checkChannel(x.Channel)
}

func checkChannel(c ChannelKey) error {
	if k, err := NormalizeChannel(string(c)); err != nil || k != c {
		return fmt.Errorf("%w: channel key %q is not canonical", ErrInvalid, c)
	}
	return nil
}

// reservedWaveNames are the other members of the trigger and sample blocks of an upload.
var reservedWaveNames = map[string]bool{
	"freq": true, "sample_interval_ms": true, "trigger_time": true, "waveform_trigger": true, "digin": true,
}

func (w *Waveform) check(start Millis) error {
	if w.End < start || w.End > MaxTime {
		return fmt.Errorf("%w: a recording ends at %v before its start %v", ErrInvalid, w.End, start)
	}
	if !(w.SampleIntervalMillis > 0) || math.IsInf(w.SampleIntervalMillis, 0) || math.IsInf(w.FrequencyHz, 0) {
		return fmt.Errorf("%w: sample interval %v ms at %v Hz", ErrInvalid, w.SampleIntervalMillis, w.FrequencyHz)
	}
	rms := map[string]bool{}
	for _, v := range w.RMS {
		if err := checkWaveName(rms, v.Name); err != nil {
			return err
		}
		if math.IsInf(v.Value, 0) {
			return fmt.Errorf("%w: an infinite RMS value of %s", ErrInvalid, v.Name)
		}
	}
	if err := checkText(w.Triggers...); err != nil {
		return err
	}
	channels := map[string]bool{}
	for _, c := range w.Channels {
		if err := checkWaveName(channels, c.Name); err != nil {
			return err
		}
		for i, v := range c.Samples {
			if math.IsInf(v, 0) {
				return fmt.Errorf("%w: sample %d of %s is infinite", ErrInvalid, i, c.Name)
			}
		}
	}
	return nil
}

func checkWaveName(seen map[string]bool, name string) error {
	if name == "" || seen[name] || reservedWaveNames[name] {
		return fmt.Errorf("%w: waveform name %q is empty, reserved or stands twice", ErrInvalid, name)
	}
	seen[name] = true
	return checkText(name)
}

func checkText(texts ...string) error {
	for _, s := range texts {
		if !utf8.ValidString(s) {
			return fmt.Errorf("%w: the text %q is not UTF-8", ErrInvalid, s)
		}
	}
	return nil
}
