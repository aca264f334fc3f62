package device

import (
	"encoding/binary"
	"fmt"
	"math"

	"metermanager/logdb"
)

// The parts of a capture's 25012 bytes.
const (
	waveRecordHeader = 8
	wavePayload      = WaveRecordSize - waveRecordHeader
	waveHeader       = 36
	waveReserved     = 388
	waveBlocks       = 6
	waveBlock        = 4098
	// WaveSamples is the number of samples of each channel.
	WaveSamples = 2048
	// CaptureBytes is the size of an assembled capture.
	CaptureBytes = WaveRecords * wavePayload
)

// WaveRecord is what stands before the payload of each of a capture's 26 records.
type WaveRecord struct {
	Stamp   [6]byte
	Capture byte
	Number  byte
	Payload []byte
}

// ParseWaveRecord reads 970 bytes.
func ParseWaveRecord(b []byte) (WaveRecord, error) {
	if len(b) != WaveRecordSize {
		return WaveRecord{}, fmt.Errorf("%w: a waveform record of %d bytes", ErrRecord, len(b))
	}
	if b[7] >= WaveRecords {
		return WaveRecord{}, fmt.Errorf("%w: number %d of a capture of %d records", ErrRecord, b[7], WaveRecords)
	}
	return WaveRecord{[6]byte(b[:6]), b[6], b[7], b[8:]}, nil
}

// WaveHeader is the head of a capture.
type WaveHeader struct {
	Source      uint16 // bitmap of what triggered
	RateCode    byte
	Flags       byte
	Type        byte
	Capture     byte
	CycleTag    uint16 // milliseconds within the second of the trigger
	FirstSample uint16
	LastSample  uint16
	RMS         [6]uint16 // Va Ia Vb Ib Vc Ic, counts of the triggering cycle
	Calibration [6]uint16 // Va Ia Vb Ib Vc Ic
}

// ParseWaveHeader reads the 36 bytes at the start of a capture.
func ParseWaveHeader(b []byte) (WaveHeader, error) {
	if len(b) < waveHeader {
		return WaveHeader{}, fmt.Errorf("%w: a waveform header of %d bytes", ErrRecord, len(b))
	}
	u := func(off int) uint16 { return binary.BigEndian.Uint16(b[off:]) }
	h := WaveHeader{Source: u(0), RateCode: b[2], Flags: b[3], Type: b[4], Capture: b[5], CycleTag: u(6), FirstSample: u(8), LastSample: u(10)}
	for i := range 6 {
		h.RMS[i], h.Calibration[i] = u(12+2*i), u(24+2*i)
	}
	return h, nil
}

// Capture is an assembled recording in counts.
type Capture struct {
	Time   TStamp
	Header WaveHeader
	Blocks []CaptureBlock
}

// CaptureBlock is the samples of one channel.
type CaptureBlock struct {
	ID      string // "AN", "IA", ...
	Samples []int16
}

// AssembleCapture joins 26 records, which must be in order and of one time and number.
func AssembleCapture(records [][]byte) (Capture, error) {
	if len(records) != WaveRecords {
		return Capture{}, fmt.Errorf("%w: a capture of %d records, want %d", ErrRecord, len(records), WaveRecords)
	}
	data := make([]byte, 0, CaptureBytes)
	var first WaveRecord
	for i, b := range records {
		r, err := ParseWaveRecord(b)
		if err != nil {
			return Capture{}, err
		}
		if i == 0 {
			first = r
		}
		if int(r.Number) != i || r.Stamp != first.Stamp || r.Capture != first.Capture {
			return Capture{}, fmt.Errorf("%w: record %d of capture %d stands where record %d of capture %d belongs", ErrRecord, r.Number, r.Capture, i, first.Capture)
		}
		data = append(data, r.Payload...)
	}
	t, err := ParseTStamp(first.Stamp[:])
	if err != nil {
		return Capture{}, err
	}
	return parseCapture(t, data)
}

func parseCapture(t TStamp, data []byte) (Capture, error) {
	h, err := ParseWaveHeader(data)
	if err != nil {
		return Capture{}, err
	}
	c := Capture{Time: t, Header: h}
	seen := map[string]bool{}
	for i := range waveBlocks {
		b := data[waveHeader+waveReserved+i*waveBlock:][:waveBlock]
		k := CaptureBlock{ID: string(b[:2]), Samples: make([]int16, WaveSamples)}
		if seen[k.ID] {
			return c, fmt.Errorf("%w: channel %q stands twice in a capture", ErrRecord, k.ID)
		}
		seen[k.ID] = true
		for s := range k.Samples {
			k.Samples[s] = int16(binary.BigEndian.Uint16(b[2+2*s:]))
		}
		c.Blocks = append(c.Blocks, k)
	}
	return c, nil
}

// Recording scales a capture to primary units. at is the UTC time of its timestamp (whole
// seconds); preTrigger is the programmed number of cycles before the trigger.
func (l WaveformLayout) Recording(c Capture, s Setup, at logdb.Millis, preTrigger int) (logdb.Waveform, logdb.Millis, error) {
	step := l.SampleIntervalMillis(c.Header.RateCode)
	if step == 0 {
		return logdb.Waveform{}, 0, fmt.Errorf("%w: sample rate code %d", ErrRecord, c.Header.RateCode)
	}
	if c.Header.CycleTag > 999 {
		return logdb.Waveform{}, 0, fmt.Errorf("%w: a trigger at millisecond %d", ErrRecord, c.Header.CycleTag)
	}
	trigger := at + logdb.Millis(c.Header.CycleTag)
	pre := preTrigger * l.SamplesPerCycle(c.Header.RateCode)
	start := trigger - logdb.Millis(math.Round(float64(pre)*step))
	w := logdb.Waveform{
		SampleIntervalMillis: step, TriggerTime: trigger, FrequencyHz: math.NaN(),
		End: start + logdb.Millis(math.Floor(WaveSamples*step)),
	}
	for _, n := range l.Channels {
		i := 2 * n.Phase
		r, name := s.PTRatio(), n.Wye
		if n.Current {
			i, r = i+1, s.CTRatio()
		}
		if s.Delta() {
			name = n.Delta
		}
		w.RMS = append(w.RMS, logdb.NamedValue{Name: name, Value: l.Primary(float64(c.Header.RMS[i]), c.Header.Calibration[i], r)})
		for _, b := range c.Blocks {
			if b.ID != n.ID {
				continue
			}
			ch := logdb.WaveChannel{Name: name, Samples: make([]float64, len(b.Samples))}
			if !n.Current {
				ch.Name = n.Wye + "_" + n.Delta
			}
			for k, v := range b.Samples {
				ch.Samples[k] = l.Primary(float64(v), c.Header.Calibration[i], r)
			}
			w.Channels = append(w.Channels, ch)
		}
	}
	if len(w.Channels) == 0 {
		return w, start, fmt.Errorf("%w: a capture without a known channel", ErrRecord)
	}
	w.Triggers = l.triggers(c.Header)
	return w, start, nil
}

// triggers words the source bitmap: "Van=Sag_start", "Manual".
func (l WaveformLayout) triggers(h WaveHeader) []string {
	var out []string
	for _, t := range l.Triggers {
		if h.Source&(1<<t.Bit) == 0 {
			continue
		}
		word := t.What
		if t.Channel != "" {
			edge := "_start"
			if h.Type == l.EndType {
				edge = "_end"
			}
			word = t.Channel + "=" + t.What + edge
		}
		out = append(out, word)
	}
	return out
}
