package device

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// ErrNotSunSpec marks a device without the SunSpec marker, or with a broken chain.
var ErrNotSunSpec = errors.New("no SunSpec meter")

// SunSpec describes the models of a SunSpec profile.
type SunSpec struct {
	Bases  []Addr         `json:"bases"`
	Models []SunSpecModel `json:"models"`
}

// SunSpecModel is the points of some models with equal layout; addresses are offsets
// from the model's ID register.
type SunSpecModel struct {
	IDs    []uint16 `json:"ids"`
	Length int      `json:"length"`
	Points []Point  `json:"points"`
}

func (s *SunSpec) check(d Defaults) error {
	if len(s.Bases) == 0 || len(s.Models) == 0 {
		return bad("sunspec without bases or models")
	}
	for i := range s.Models {
		m := &s.Models[i]
		if m.Length < 1 || m.Length > 1000 || len(m.IDs) == 0 {
			return bad("sunspec model %v of %d registers", m.IDs, m.Length)
		}
		for k := range m.Points {
			m.Points[k].NotImplemented = true
		}
		if err := checkPoints(m.Points, d, m.Length+2); err != nil {
			return fmt.Errorf("sunspec model %v: %w", m.IDs, err)
		}
	}
	return nil
}

// ChainModel is a model found in a device.
type ChainModel struct {
	ID     uint16
	Addr   Addr // of the ID register
	Length int
}

// SunSpecDevice is what a chain walk found.
type SunSpecDevice struct {
	Make, Model, Version, Serial string
	Models                       []ChainModel
}

// RegisterReader reads holding registers.
type RegisterReader func(ctx context.Context, addr uint16, count int) ([]byte, error)

const maxChain = 64

// Walk looks for the marker at each base and follows the chain of models. It ends at
// the end mark, after 64 models, beyond address 65535 and at the second empty model.
func (s *SunSpec) Walk(ctx context.Context, read RegisterReader) (SunSpecDevice, error) {
	var errs []error
	for _, base := range s.Bases {
		b, err := read(ctx, uint16(base), 2)
		if err != nil {
			errs = append(errs, err)
			if ctx.Err() != nil {
				break
			}
			continue
		}
		if string(b) == "SunS" {
			return walkChain(ctx, read, int(base)+2)
		}
	}
	return SunSpecDevice{}, errors.Join(append([]error{ErrNotSunSpec}, errs...)...)
}

func walkChain(ctx context.Context, read RegisterReader, at int) (SunSpecDevice, error) {
	var d SunSpecDevice
	empty := 0
	for range maxChain {
		if at+2 > 1<<16 {
			return d, nil
		}
		b, err := read(ctx, uint16(at), 2)
		if err != nil {
			return d, fmt.Errorf("read the model at %d: %w", at, err)
		}
		m := ChainModel{ID: binary.BigEndian.Uint16(b), Addr: Addr(at), Length: int(binary.BigEndian.Uint16(b[2:]))}
		if m.ID == 0xFFFF {
			return d, nil
		}
		if at+2+m.Length > 1<<16 {
			return d, fmt.Errorf("%w: model %d at %d is %d registers long", ErrNotSunSpec, m.ID, at, m.Length)
		}
		if m.Length == 0 {
			if empty++; empty == 2 {
				return d, nil
			}
		}
		if m.ID == 1 && m.Length >= 64 && d.Serial == "" {
			if err := d.common(ctx, read, at); err != nil {
				return d, err
			}
		}
		d.Models = append(d.Models, m)
		at += 2 + m.Length
	}
	return d, nil
}

func (d *SunSpecDevice) common(ctx context.Context, read RegisterReader, at int) error {
	b, err := read(ctx, uint16(at), 66)
	if err != nil {
		return fmt.Errorf("read the common model at %d: %w", at, err)
	}
	str := func(off, n int) string { return Text(b[2*off : 2*(off+n)]) }
	d.Make, d.Model, d.Version, d.Serial = str(2, 16), str(18, 16), str(42, 8), str(50, 16)
	return nil
}

// Points returns the points of the first model that the profile knows, at their
// absolute addresses. A chain that has both an integer and a float model gives the
// float one, which needs no scale factors.
func (s *SunSpec) Points(d SunSpecDevice) ([]Point, error) {
	for i := len(s.Models) - 1; i >= 0; i-- {
		m := s.Models[i]
		for _, c := range d.Models {
			if !slices.Contains(m.IDs, c.ID) || c.Length < m.Length {
				continue
			}
			out := slices.Clone(m.Points)
			for k := range out {
				out[k].Addr += c.Addr
				if f := out[k].ScaleFrom; f != nil {
					out[k].ScaleFrom = &ScaleFrom{Addr: f.Addr + c.Addr, Kind: f.Kind}
				}
			}
			return out, nil
		}
	}
	return nil, fmt.Errorf("%w: none of its %d models is a meter that the profile knows", ErrNotSunSpec, len(d.Models))
}
