package format

import (
	"math"
	"strings"
	"time"

	"metermanager/logdb"
)

// SetKey gives a channel its key in the log database, and the factor that takes its unit to the key's. fits is
// false when the units are of different things: values are then taken as they are.
func (c *Channel) SetKey(key logdb.ChannelKey) (fits bool) {
	c.Key, c.Factor = key, 1
	known := logdb.LookupChannel(key)
	base, factor, ok := Unit(c.Unit)
	if !ok {
		return c.Unit == "" || known.Unit == ""
	}
	if known.Unit == "" && known.Name == string(key) && base != "" {
		return true // the catalogue does not know the key: the unit stays that of the file
	}
	if base == known.Unit {
		c.Factor = factor
	}
	return base == known.Unit
}

// Map names the channels that the file calls name: a trend by the key to, which must be one and gets the statistic
// behind it, a channel of a recording by any name. n is how many there were, and fits whether all units are the key's.
func (c *Content) Map(name, to string) (n int, fits bool, err error) {
	fits = true
	for i := range c.Trends {
		if c.Trends[i].Name != name {
			continue
		}
		key, err := logdb.NormalizeChannel(to)
		if err != nil {
			return n, fits, err
		}
		if s := slug(c.Trends[i].Statistic); s != "" {
			key += logdb.ChannelKey("." + s)
		}
		fits = c.Trends[i].SetKey(key) && fits
		n++
	}
	for i := range c.Recordings {
		for k := range c.Recordings[i].Channels {
			if s := &c.Recordings[i].Channels[k]; s.Name == name {
				s.Name = to
				n++
			}
		}
	}
	return n, fits, nil
}

// AsRecorded leaves samples on the side on which the file states them: secondary values are not taken to primary ones.
func (c *Content) AsRecorded() {
	c.eachSamples(func(s *Samples) { s.Primary = 0 })
}

// ToPrimary takes secondary samples to primary ones.
func (c *Content) ToPrimary() {
	c.eachSamples(func(s *Samples) {
		if s.Primary > 0 && s.Primary != 1 {
			for i := range s.Values {
				s.Values[i] *= s.Primary
			}
		}
		s.Primary = 0
	})
}

func (c *Content) eachSamples(change func(*Samples)) {
	for i := range c.Recordings {
		for k := range c.Recordings[i].Channels {
			change(&c.Recordings[i].Channels[k])
		}
	}
}

// RecordingOf returns a stored recording as files have it, with times in a zone. Inputs are the digital channels
// "digin 0" to "digin 7", as far as one of them ever was 1.
func RecordingOf(e *logdb.Entry, zone *time.Location) Recording {
	w := e.Waveform
	step := w.SampleIntervalMillis / 1e3
	r := Recording{Start: e.Time.Time().In(zone), Trigger: w.TriggerTime.Time().In(zone), Triggers: w.Triggers}
	if w.FrequencyHz > 0 && !math.IsInf(w.FrequencyHz, 0) {
		r.LineHz = w.FrequencyHz
	}
	timing := Uniform(step)
	for _, ch := range w.Channels {
		s := Samples{Channel: Channel{Name: ch.Name}, Timing: timing}
		if name, ok := strings.CutPrefix(ch.Name, DigitalPrefix); ok && binary(ch.Samples) {
			s.Name, s.Digital = name, make([]byte, len(ch.Samples))
			for i, v := range ch.Samples {
				s.Digital[i] = byte(v)
			}
		} else {
			s.Name, s.Unit = waveUnit(ch.Name)
			s.Values = ch.Samples
		}
		r.Channels = append(r.Channels, s)
	}
	var used byte
	for _, b := range w.Digital {
		used |= b
	}
	for k := range 8 {
		if used>>k&1 == 0 {
			continue
		}
		s := Samples{Channel: Channel{Name: DigitalPrefix + string(rune('0'+k))}, Timing: timing, Digital: make([]byte, len(w.Digital))}
		for i, b := range w.Digital {
			s.Digital[i] = b >> k & 1
		}
		r.Channels = append(r.Channels, s)
	}
	return r
}

func binary(samples []float64) bool {
	for _, v := range samples {
		if v != 0 && v != 1 {
			return false
		}
	}
	return true
}

// waveUnit tells the unit of a stored channel: the one behind its name, else volts or amperes by its first letter.
func waveUnit(name string) (bare, unit string) {
	if i := strings.LastIndex(name, " ["); i > 0 && strings.HasSuffix(name, "]") {
		return name[:i], name[i+2 : len(name)-1]
	}
	switch {
	case name == "":
	case strings.IndexByte("VvUu", name[0]) >= 0:
		return name, "V"
	case strings.IndexByte("Ii", name[0]) >= 0:
		return name, "A"
	}
	return name, ""
}
