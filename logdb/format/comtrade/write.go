package comtrade

import (
	"bufio"
	"bytes"
	"cmp"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"metermanager/logdb/format"
)

// Form says how a record is written.
type Form struct {
	Station, Device string
	Revision        int      // 1999 or 2013; 0: 2013
	Type            DataType // "": FLOAT32, or BINARY for 1999
	// Zone is that in which times are written; nil: UTC. Only the 2013 revision names it.
	Zone *time.Location
}

// Check reports what cannot be written.
func (f *Form) Check() error {
	switch {
	case f.Revision != 1999 && f.Revision != 2013:
		return fmt.Errorf("revision %d of COMTRADE, want 1999 or 2013", f.Revision)
	case f.Type != ASCII && f.Type != Binary && f.Type != Binary32 && f.Type != Float32:
		return fmt.Errorf("COMTRADE data of type %q, want ASCII, BINARY, BINARY32 or FLOAT32", f.Type)
	case f.Revision == 1999 && (f.Type == Binary32 || f.Type == Float32):
		return fmt.Errorf("%s data came with the revision of 2013; 1999 has ASCII and BINARY", f.Type)
	}
	return nil
}

func (f Form) filled() Form {
	f.Revision = cmp.Or(f.Revision, 2013)
	if f.Type == "" {
		f.Type = Float32
		if f.Revision == 1999 {
			f.Type = Binary
		}
	}
	if f.Zone == nil {
		f.Zone = time.UTC
	}
	return f
}

// Write writes a recording as a configuration and its data. All channels must be of one timing.
func Write(cfg, dat io.Writer, rec *format.Recording, form Form) error {
	w, err := newWriter(rec, form)
	if err != nil {
		return err
	}
	if _, err := cfg.Write(w.config()); err != nil {
		return fmt.Errorf("write the configuration: %w", err)
	}
	out := bufio.NewWriterSize(dat, 1<<16)
	w.data(out)
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write the data: %w", err)
	}
	return nil
}

// WriteCFF writes a recording as one file of the 2013 revision.
func WriteCFF(out io.Writer, rec *format.Recording, form Form) error {
	if form.Revision == 1999 {
		return fmt.Errorf("a .cff came with the revision of 2013, not 1999")
	}
	w, err := newWriter(rec, form)
	if err != nil {
		return err
	}
	b := bufio.NewWriterSize(out, 1<<16)
	fmt.Fprintf(b, "--- file type: CFG ---\r\n%s--- file type: INF ---\r\n--- file type: HDR ---\r\n", w.config())
	if w.form.Type == ASCII {
		fmt.Fprint(b, "--- file type: DAT ASCII ---\r\n")
	} else {
		size, _ := w.cfg.sampleSize()
		fmt.Fprintf(b, "--- file type: DAT %s: %d ---\r\n", w.form.Type, size*w.n)
	}
	w.data(b)
	if err := b.Flush(); err != nil {
		return fmt.Errorf("write the record: %w", err)
	}
	return nil
}

// writer writes one recording.
type writer struct {
	form    Form
	rec     *format.Recording
	timing  *format.Timing
	n       int
	analog  []*format.Samples
	digital []*format.Samples
	cfg     Config // of what is written, with the factors
}

func newWriter(rec *format.Recording, form Form) (*writer, error) {
	w := &writer{form: form.filled(), rec: rec}
	if err := w.form.Check(); err != nil {
		return nil, err
	}
	for i := range rec.Channels {
		s := &rec.Channels[i]
		switch {
		case s.Len() == 0 || s.Timing == nil:
			continue
		case w.timing == nil:
			w.timing = s.Timing
		case w.timing != s.Timing:
			a, even := w.timing.Step()
			b, too := s.Timing.Step()
			if !even || !too || a != b || w.timing.Offset != s.Timing.Offset {
				return nil, fmt.Errorf("channel %s is sampled at other times than the ones before it: one COMTRADE record holds one timing", s.Name)
			}
		}
		w.n = max(w.n, s.Len())
		if s.Digital != nil {
			w.digital = append(w.digital, s)
		} else {
			w.analog = append(w.analog, s)
		}
	}
	if w.n == 0 {
		return nil, fmt.Errorf("the recording has no samples")
	}
	w.cfg = Config{Type: w.form.Type, Digital: make([]Digital, len(w.digital))}
	for _, s := range w.analog {
		w.cfg.Analog = append(w.cfg.Analog, w.scaled(s))
	}
	return w, nil
}

// bound returns the largest raw value of a type; the smallest one is its negative.
func (t DataType) bound() float64 {
	switch t {
	case ASCII:
		return 99998
	case Binary:
		return 32767
	case Binary32:
		return math.MaxInt32
	}
	return math.MaxFloat32
}

// scaled chooses factors that use the whole range of the type; whole numbers that fit are written as they are.
func (w *writer) scaled(s *format.Samples) Analog {
	a := Analog{Name: s.Name, Phase: s.Phase, Component: s.Component, Unit: s.Unit, A: 1, Primary: 1, Secondary: 1}
	if p := s.Primary; p > 0 && p != 1 {
		a.SecondaryValues, a.Primary = true, p
	}
	bound := w.form.Type.bound()
	a.Min, a.Max = -bound, bound
	lowest, highest, whole := math.Inf(1), math.Inf(-1), true
	for _, v := range s.Values {
		if v == v {
			lowest, highest = math.Min(lowest, v), math.Max(highest, v)
			whole = whole && v == math.Trunc(v)
		}
	}
	if w.form.Type == Float32 || !(highest >= lowest) || whole && highest <= bound && lowest >= -bound {
		return a
	}
	if lowest < 0 && highest > 0 { // zero stays zero
		a.A = math.Max(highest, -lowest) / bound
	} else {
		a.B = lowest/2 + highest/2
		a.A = (highest/2 - lowest/2) / bound
	}
	if a.A == 0 { // one value all the time
		a.A = 1
	}
	return a
}

// config returns the text of the configuration.
func (w *writer) config() []byte {
	var b bytes.Buffer
	line := func(fields ...string) {
		for i := range fields {
			fields[i] = clean(fields[i])
		}
		b.WriteString(strings.Join(fields, ",") + "\r\n")
	}
	f := w.form
	line(f.Station, f.Device, strconv.Itoa(f.Revision))
	line(strconv.Itoa(len(w.analog)+len(w.digital)), fmt.Sprintf("%dA", len(w.analog)), fmt.Sprintf("%dD", len(w.digital)))
	for i, a := range w.cfg.Analog {
		side := "P"
		if a.SecondaryValues {
			side = "S"
		}
		line(strconv.Itoa(i+1), a.Name, a.Phase, a.Component, a.Unit, exact(a.A), exact(a.B), "0", exact(a.Min), exact(a.Max), exact(a.Primary), exact(a.Secondary), side)
	}
	for i, s := range w.digital {
		line(strconv.Itoa(i+1), s.Name, s.Phase, s.Component, "0")
	}
	hz := w.rec.LineHz
	if !(hz > 0) || math.IsInf(hz, 0) {
		hz = 0 // not known
	}
	line(exact(hz))
	w.rates(line)
	start := w.rec.Start.Add(time.Duration(math.Round(w.timing.At(0) * 1e9))).In(f.Zone)
	trigger := w.rec.Trigger
	if trigger.IsZero() {
		trigger = start
	}
	for _, t := range []time.Time{start, trigger.In(f.Zone)} {
		line(t.Format("02/01/2006"), t.Format("15:04:05.000000"))
	}
	line(string(f.Type))
	line(exact(w.stampFactor()))
	if f.Revision == 2013 {
		_, offset := start.Zone()
		line(formatOffset(offset), formatOffset(offset))
		line("F", "3") // nothing is known of the clock, nor of leap seconds
	}
	return b.Bytes()
}

// rates writes the sampling rates, or that time stamps rule.
func (w *writer) rates(line func(...string)) {
	if w.timing.Stamps != nil {
		line("0")
		line("0", strconv.Itoa(w.n))
		return
	}
	var segments []format.Segment
	left := w.n
	for _, s := range w.timing.Segments {
		if s.Count = min(s.Count, left); s.Count > 0 {
			segments = append(segments, s)
			left -= s.Count
		}
	}
	if n := len(segments); n > 0 {
		segments[n-1].Count += left
	}
	line(strconv.Itoa(len(segments)))
	last := 0
	for _, s := range segments {
		last += s.Count
		line(exact(1/s.Step), strconv.Itoa(last))
	}
}

// stampFactor keeps time stamps within 31 bits.
func (w *writer) stampFactor() float64 {
	span := (w.timing.At(w.n-1) - w.timing.At(0)) * 1e6
	factor := 1.0
	for span/factor > math.MaxInt32 {
		factor *= 10
	}
	return factor
}

// exact prints all digits that a number needs to be read back unchanged, without an exponent where that is short.
func exact(v float64) string {
	if a := math.Abs(v); a != 0 && (a < 1e-6 || a >= 1e15) {
		return strconv.FormatFloat(v, 'e', -1, 64)
	}
	return strconv.FormatFloat(v, 'f', -1, 64)
}

// clean takes what would end a field or a line out of a text.
func clean(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		switch {
		case r == ',':
			return ';'
		case r < ' ' || r == 0x7f:
			return ' '
		}
		return r
	}, s))
}
