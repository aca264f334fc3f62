package comtrade

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"

	"metermanager/logdb/format"
)

// Data is the samples of a record.
type Data struct {
	Count   int
	Numbers []uint32    // sample numbers as written
	Stamps  []float64   // time stamps as written, NaN where missing
	Analog  [][]float64 // physical values A * raw + B by channel, NaN where missing
	Digital [][]byte    // by channel, 0 and 1
}

// dataReader reads the samples of a record.
type dataReader struct {
	file string
	cfg  *Config
	opt  format.Options
	said *remarks
	in   io.Reader
	size int64 // of in, 0 when not known
	done int64
	out  Data
}

// progressBytes is how often progress is told.
const progressBytes = 4 << 20

// more counts n bytes read, tells the progress and refuses what is too large.
func (d *dataReader) more(ctx context.Context, n int) error {
	before := d.done / progressBytes
	if d.done += int64(n); d.done/progressBytes == before {
		return nil
	}
	d.opt.Report(d.done, d.size)
	if d.done > d.opt.Bytes() {
		return d.fail("Cut the record, or raise the bound", "the data are larger than %d MiB", d.opt.Bytes()>>20)
	}
	return ctx.Err()
}

func (d *dataReader) fail(do, what string, args ...any) error {
	return &format.Error{File: d.file, Sample: d.out.Count + 1, What: fmt.Sprintf(what, args...), Do: do}
}

// read reads all samples.
func (d *dataReader) read(ctx context.Context) (*Data, error) {
	d.out.Analog = make([][]float64, len(d.cfg.Analog))
	d.out.Digital = make([][]byte, len(d.cfg.Digital))
	var err error
	if d.cfg.Type == ASCII {
		err = d.readText(ctx)
	} else {
		err = d.readBinary(ctx)
	}
	if err != nil {
		return nil, err
	}
	if d.out.Count == 0 {
		return nil, &format.Error{File: d.file, What: "there are no samples", Do: "Get the data file from the device again"}
	}
	return &d.out, nil
}

const doMatch = "The data do not fit the configuration: check that both files are of one record, and complete"

// readText reads ASCII data.
func (d *dataReader) readText(ctx context.Context) error {
	want := 2 + len(d.cfg.Analog) + len(d.cfg.Digital)
	lines := bufio.NewScanner(d.in)
	lines.Buffer(nil, 1<<16+40*want)
	var bad error // of the last line that did not fit: an error unless it is the last one
	for n := 1; lines.Scan(); n++ {
		line := lines.Bytes()
		if err := d.more(ctx, len(line)+1); err != nil {
			return err
		}
		line, _, ended := bytes.Cut(line, []byte{0x1a})
		line = bytes.TrimSpace(line)
		if len(line) > 0 {
			if bad != nil {
				return bad
			}
			bad = d.textLine(n, line, want)
		}
		if ended {
			break
		}
	}
	if err := lines.Err(); errors.Is(err, bufio.ErrTooLong) {
		return d.fail(doMatch, "a line is longer than %d values need", want)
	} else if err != nil {
		return &format.Error{File: d.file, Sample: d.out.Count + 1, What: "cannot be read", Err: err}
	}
	if bad != nil {
		if d.out.Count == 0 {
			return bad
		}
		d.said.miss("the last line is cut short and was left out (%s)", bad.(*format.Error).What)
	}
	return nil
}

// textLine takes one sample in; on an error nothing is taken.
func (d *dataReader) textLine(n int, line []byte, want int) error {
	fail := func(what string, args ...any) error {
		return &format.Error{File: d.file, Line: n, What: fmt.Sprintf(what, args...), Do: doMatch}
	}
	if k := bytes.Count(line, []byte{','}) + 1; k < want || k > want && len(bytes.Trim(line[nth(line, want):], ", \t")) > 0 {
		return fail("%d values, want %d: number, time, %d analogue and %d digital channels", k, want, len(d.cfg.Analog), len(d.cfg.Digital))
	}
	analog, digital := len(d.cfg.Analog), len(d.cfg.Digital)
	values := make([]float64, want)
	for i := range want {
		var cell []byte
		cell, line, _ = bytes.Cut(line, []byte{','})
		v, err := d.cell(i, string(bytes.TrimSpace(cell)))
		if err != nil {
			return fail("value %d is %q, want a number", i+1, cell)
		}
		if i >= 2+analog && v != 0 && v != 1 {
			return fail("digital channel %s is %q, want 0 or 1", d.cfg.Digital[i-2-analog].Name, cell)
		}
		values[i] = v
	}
	d.put(values[0], values[1])
	for i := range analog {
		d.out.Analog[i] = append(d.out.Analog[i], values[2+i])
	}
	for i := range digital {
		d.out.Digital[i] = append(d.out.Digital[i], byte(values[2+analog+i]))
	}
	return nil
}

// nth returns where the nth field ends.
func nth(line []byte, n int) int {
	at := 0
	for range n {
		i := bytes.IndexByte(line[at:], ',')
		if i < 0 {
			return len(line)
		}
		at += i + 1
	}
	return at
}

// cell reads value i of a line; an analogue one as its physical value.
func (d *dataReader) cell(i int, text string) (float64, error) {
	analog := i >= 2 && i < 2+len(d.cfg.Analog)
	if text == "" {
		if i >= 2+len(d.cfg.Analog) {
			return 0, strconv.ErrSyntax
		}
		return math.NaN(), nil
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(v, 0) {
		return 0, strconv.ErrSyntax
	}
	if !analog {
		return v, nil
	}
	// 1991 leaves missing values empty, and has no number for them.
	if d.cfg.Revision > 1991 && v == 99999 {
		return math.NaN(), nil
	}
	a := &d.cfg.Analog[i-2]
	return a.A*v + a.B, nil
}

// put takes in a sample's number and time stamp.
func (d *dataReader) put(number, stamp float64) {
	d.out.Count++
	n := uint32(d.out.Count)
	if number >= 0 && number <= math.MaxUint32 {
		n = uint32(number)
	}
	d.out.Numbers = append(d.out.Numbers, n)
	d.out.Stamps = append(d.out.Stamps, stamp)
}

// sampleSize returns the bytes of a sample, and of each analogue value in it.
func (c *Config) sampleSize() (size, value int) {
	value = 4
	if c.Type == Binary {
		value = 2
	}
	return 8 + value*len(c.Analog) + 2*((len(c.Digital)+15)/16), value
}

const missingStamp = 0xffffffff

// readBinary reads BINARY, BINARY32 and FLOAT32 data.
func (d *dataReader) readBinary(ctx context.Context) error {
	size, width := d.cfg.sampleSize()
	in := bufio.NewReaderSize(d.in, 1<<16)
	record := make([]byte, size)
	for {
		n, err := io.ReadFull(in, record)
		switch {
		case err == io.EOF:
			return nil
		case errors.Is(err, io.ErrUnexpectedEOF):
			if n == 1 && record[0] == 0x1a {
				return nil
			}
			if d.out.Count == 0 {
				return d.fail(doMatch, "%d bytes, and one sample of %d analogue and %d digital channels in %s takes %d",
					n, len(d.cfg.Analog), len(d.cfg.Digital), d.cfg.Type, size)
			}
			d.said.miss("%d bytes after the last whole sample were left out", n)
			return nil
		case err != nil:
			return &format.Error{File: d.file, Sample: d.out.Count + 1, What: "cannot be read", Err: err}
		}
		if err := d.more(ctx, n); err != nil {
			return err
		}
		stamp := math.NaN()
		if s := binary.LittleEndian.Uint32(record[4:]); s != missingStamp {
			stamp = float64(s)
		}
		d.put(float64(binary.LittleEndian.Uint32(record)), stamp)
		at := 8
		for i := range d.cfg.Analog {
			d.out.Analog[i] = append(d.out.Analog[i], d.analog(i, record[at:at+width]))
			at += width
		}
		for i := range d.cfg.Digital {
			word := binary.LittleEndian.Uint16(record[at+i/16*2:])
			d.out.Digital[i] = append(d.out.Digital[i], byte(word>>(i%16)&1))
		}
	}
}

// analog returns the physical value of channel i.
func (d *dataReader) analog(i int, b []byte) float64 {
	var raw float64
	switch d.cfg.Type {
	case Binary:
		n := binary.LittleEndian.Uint16(b)
		if n == 0x8000 && d.cfg.Revision > 1991 || n == 0xffff && d.cfg.Revision == 1991 {
			return math.NaN()
		}
		raw = float64(int16(n))
	case Binary32:
		n := binary.LittleEndian.Uint32(b)
		if n == 0x80000000 {
			return math.NaN()
		}
		raw = float64(int32(n))
	default:
		bits := binary.LittleEndian.Uint32(b)
		if raw = float64(math.Float32frombits(bits)); bits == 0xff7fffff || math.IsInf(raw, 0) {
			return math.NaN()
		}
	}
	a := &d.cfg.Analog[i]
	return a.A*raw + a.B
}
