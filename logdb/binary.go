package logdb

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Digest is the first 16 bytes of a SHA-256.
type Digest [16]byte

// IsZero reports whether d is unset.
func (d Digest) IsZero() bool { return d == Digest{} }

// String returns d as hex digits.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// MarshalText writes d as hex digits, "" when unset.
func (d Digest) MarshalText() ([]byte, error) {
	if d.IsZero() {
		return nil, nil
	}
	return []byte(d.String()), nil
}

// UnmarshalText reads 32 hex digits, or nothing.
func (d *Digest) UnmarshalText(text []byte) error {
	*d = Digest{}
	if len(text) == 0 {
		return nil
	}
	if len(text) != 32 {
		return fmt.Errorf("%w: a digest has 32 hex digits", ErrInvalid)
	}
	if _, err := hex.Decode(d[:], text); err != nil {
		return fmt.Errorf("%w: digest %q", ErrInvalid, text)
	}
	return nil
}

// DigestOf hashes b.
func DigestOf(b []byte) Digest {
	sum := sha256.Sum256(b)
	return Digest(sum[:16])
}

// AppendContent appends the canonical bytes of e's record: what it says, not where it
// stands. Two entries with equal content have equal bytes at every node. Channels of a row are sorted.
func (e *Entry) AppendContent(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(e.Log))
	b = binary.AppendVarint(b, int64(e.Time))
	switch {
	case e.Row != nil:
		b = append(b, 'r')
		order := make([]int, len(e.Row.Channels))
		for i := range order {
			order[i] = i
		}
		slices.SortFunc(order, func(i, j int) int {
			return strings.Compare(string(e.Row.Channels[i]), string(e.Row.Channels[j]))
		})
		b = binary.AppendUvarint(b, uint64(len(order)))
		for _, i := range order {
			b = appendString(b, string(e.Row.Channels[i]))
			b = appendFloat(b, e.Row.Values[i])
		}
	case e.System != nil:
		b = append(b, 's')
		b = binary.AppendVarint(b, int64(e.System.Type))
		b = binary.AppendVarint(b, e.System.Code)
		b = appendString(b, e.System.Description)
	case e.Excursion != nil:
		x := e.Excursion
		b = append(b, 'x')
		b = appendString(b, string(x.Channel))
		b = binary.AppendVarint(b, x.LimitID)
		b = binary.AppendVarint(b, x.Type)
		for _, v := range [...]float64{x.DurationSeconds, x.Worst, x.WorstPercent, x.Threshold} {
			b = appendFloat(b, v)
		}
	case e.Waveform != nil:
		b = append(b, 'w')
		b = e.Waveform.appendBinary(b)
	case e.Gap != nil:
		b = append(b, 'g')
		b = binary.AppendVarint(b, int64(e.Gap.From))
		b = binary.AppendVarint(b, int64(e.Gap.To))
		b = appendString(b, string(e.Gap.Cause))
		b = appendString(b, e.Gap.Detail)
		if e.Gap.Replaces != 0 {
			b = binary.AppendUvarint(b, uint64(e.Gap.Replaces))
		}
	default:
		b = append(b, '-')
	}
	return b
}

// ContentDigest is the digest of AppendContent.
func (e *Entry) ContentDigest() Digest { return DigestOf(e.AppendContent(nil)) }

// Chain returns the running hash of a journal after e, given the one before it.
func (e *Entry) Chain(before Digest) Digest {
	b := make([]byte, 0, 256)
	b = append(b, before[:]...)
	b = binary.AppendUvarint(b, uint64(e.Position))
	b = append(b, byte(e.Op))
	b = binary.AppendUvarint(b, uint64(e.Target))
	b = e.AppendContent(b)
	return DigestOf(b)
}

// AppendBinary appends everything of e: the stored form of an entry.
func (e *Entry) AppendBinary(b []byte) ([]byte, error) {
	b = append(b, 1, byte(e.Op))
	b = binary.AppendUvarint(b, uint64(e.Position))
	b = binary.AppendUvarint(b, uint64(e.Target))
	b = append(b, e.Replaces[:]...)
	b = binary.AppendUvarint(b, uint64(e.Run))
	b = binary.AppendUvarint(b, uint64(e.Generation))
	b = appendString(b, e.By)
	b = binary.AppendVarint(b, int64(e.At))
	b = appendString(b, e.Why)
	return e.AppendContent(b), nil
}

// UnmarshalBinary reads what AppendBinary wrote; ErrInvalid for anything else.
func (e *Entry) UnmarshalBinary(data []byte) error {
	r := reader{data: data}
	*e = Entry{}
	if r.byte() != 1 {
		return fmt.Errorf("%w: unknown format of an entry", ErrInvalid)
	}
	e.Op = Op(r.byte())
	e.Position = Position(r.uvarint())
	e.Target = Position(r.uvarint())
	copy(e.Replaces[:], r.take(len(e.Replaces)))
	e.Run = uint32(r.upTo(math.MaxUint32))
	e.Generation = uint32(r.upTo(math.MaxUint32))
	e.By = r.string()
	e.At = Millis(r.varint())
	e.Why = r.string()
	e.Log = LogNo(r.upTo(math.MaxUint16))
	e.Time = Millis(r.varint())
	switch tag := r.byte(); tag {
	case 'r':
		n := r.count(9)
		e.Row = &Row{Channels: make([]ChannelKey, n), Values: make([]float64, n)}
		for i := range n {
			e.Row.Channels[i] = ChannelKey(r.string())
			e.Row.Values[i] = r.float()
		}
	case 's':
		e.System = &SystemEvent{Type: SystemType(r.varint()), Code: r.varint(), Description: r.string()}
	case 'x':
		e.Excursion = &Excursion{
			Channel: ChannelKey(r.string()), LimitID: r.varint(), Type: r.varint(),
			DurationSeconds: r.float(), Worst: r.float(), WorstPercent: r.float(), Threshold: r.float(),
		}
	case 'w':
		e.Waveform = r.waveform()
	case 'g':
		e.Gap = &Gap{From: Millis(r.varint()), To: Millis(r.varint()), Cause: GapCause(r.string()), Detail: r.string()}
		if r.err == nil && len(r.data) > 0 {
			if e.Gap.Replaces = Position(r.uvarint()); e.Gap.Replaces == 0 {
				return fmt.Errorf("%w: a gap that replaces position 0", ErrInvalid)
			}
		}
	case '-':
	default:
		return fmt.Errorf("%w: record tag %#x", ErrInvalid, tag)
	}
	if r.err == nil && len(r.data) != 0 {
		return fmt.Errorf("%w: %d bytes after an entry", ErrInvalid, len(r.data))
	}
	return r.err
}

func (w *Waveform) appendBinary(b []byte) []byte {
	room := 256
	for i := range w.Channels {
		room += 16 + len(w.Channels[i].Name) + 8*len(w.Channels[i].Samples)
	}
	b = slices.Grow(b, room) // by doubling it would be copied a dozen times
	b = binary.AppendVarint(b, int64(w.End))
	b = appendFloat(b, w.SampleIntervalMillis)
	b = binary.AppendVarint(b, int64(w.TriggerTime))
	b = appendFloat(b, w.FrequencyHz)
	b = binary.AppendUvarint(b, uint64(len(w.RMS)))
	for _, v := range w.RMS {
		b = appendFloat(appendString(b, v.Name), v.Value)
	}
	b = binary.AppendUvarint(b, uint64(len(w.Triggers)))
	for _, t := range w.Triggers {
		b = appendString(b, t)
	}
	b = binary.AppendUvarint(b, uint64(len(w.Channels)))
	for _, c := range w.Channels {
		b = appendString(b, c.Name)
		b = binary.AppendUvarint(b, uint64(len(c.Samples)))
		for _, v := range c.Samples {
			b = appendFloat(b, v)
		}
	}
	b = appendString(b, string(w.Digital))
	if s := w.Source; s != nil {
		b = append(b, 1)
		b = binary.AppendVarint(b, int64(s.Start))
		b = binary.AppendUvarint(b, uint64(s.Samples))
		b = appendFloat(b, s.SampleIntervalMillis)
		return append(b, s.Digest[:]...)
	}
	return append(b, 0)
}

func (r *reader) waveform() *Waveform {
	w := &Waveform{End: Millis(r.varint()), SampleIntervalMillis: r.float(), TriggerTime: Millis(r.varint()), FrequencyHz: r.float()}
	for range r.count(9) {
		w.RMS = append(w.RMS, NamedValue{r.string(), r.float()})
	}
	for range r.count(1) {
		w.Triggers = append(w.Triggers, r.string())
	}
	for range r.count(2) {
		c := WaveChannel{Name: r.string()}
		n := r.count(8)
		c.Samples = make([]float64, n)
		for i := range c.Samples {
			c.Samples[i] = r.float()
		}
		w.Channels = append(w.Channels, c)
	}
	if d := r.string(); d != "" {
		w.Digital = []byte(d)
	}
	if r.byte() == 1 {
		w.Source = &WaveSource{Start: Millis(r.varint()), Samples: int(r.upTo(math.MaxInt32)), SampleIntervalMillis: r.float()}
		copy(w.Source.Digest[:], r.take(len(w.Source.Digest)))
	}
	return w
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// appendFloat writes the 64 bits; every NaN is written alike, so that equal content is equal bytes.
func appendFloat(b []byte, v float64) []byte {
	if math.IsNaN(v) {
		v = math.NaN()
	}
	return binary.BigEndian.AppendUint64(b, math.Float64bits(v))
}

// reader takes values off data; after the first error it returns zeros.
type reader struct {
	data []byte
	err  error
}

func (r *reader) fail() {
	if r.err == nil {
		r.err = fmt.Errorf("%w: the stored bytes end too early", ErrInvalid)
	}
	r.data = nil
}

func (r *reader) take(n int) []byte {
	if n < 0 || n > len(r.data) {
		r.fail()
		return nil
	}
	out := r.data[:n]
	r.data = r.data[n:]
	return out
}

func (r *reader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.data)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.data = r.data[n:]
	return v
}

// upTo reads a number that fits where it goes.
func (r *reader) upTo(most uint64) uint64 {
	v := r.uvarint()
	if v > most {
		r.fail()
		return 0
	}
	return v
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.data)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.data = r.data[n:]
	return v
}

// count reads the number of elements that each take at least size bytes.
func (r *reader) count(size int) int {
	n := r.uvarint()
	if n > uint64(len(r.data)/size) {
		r.fail()
		return 0
	}
	return int(n)
}

func (r *reader) float() float64 {
	if b := r.take(8); b != nil {
		return math.Float64frombits(binary.BigEndian.Uint64(b))
	}
	return 0
}

func (r *reader) string() string {
	n := r.uvarint()
	if n > uint64(len(r.data)) {
		r.fail()
		return ""
	}
	return string(r.take(int(n)))
}
