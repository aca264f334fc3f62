package logdbtest

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"metermanager/logdb"
)

// operation is one step of a random sequence. It is complete in itself, so that steps can be left out.
type operation struct {
	meter  logdb.MeterUID
	kind   logdb.Kind
	text   string
	reopen bool
	number int   // in its script, with faults
	fault  fault // of the machine meanwhile
	apply  func(context.Context, logdb.Store) (string, error)
}

func (o operation) String() string {
	text := fmt.Sprintf("%s %s: %s", o.meter, o.kind, o.text)
	if o.fault.kind != noFault {
		text += fmt.Sprintf("\n      meanwhile %s (%d)", faultNames[o.fault.kind], o.fault.n)
	}
	return text
}

// class names the error that a caller may test for.
func class(err error) string {
	for _, known := range []error{logdb.ErrInvalid, logdb.ErrConflict, logdb.ErrStale, logdb.ErrNotFound, logdb.ErrUnknownMeter, logdb.ErrFull} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	if err != nil {
		return "another error: " + err.Error()
	}
	return "no error"
}

func acceptOf(p logdb.Page, limits logdb.Limits) operation {
	return operation{
		meter: p.Meter, kind: p.Kind, text: pageText(&p),
		apply: func(ctx context.Context, s logdb.Store) (string, error) {
			r, err := s.Accept(ctx, p, limits)
			if err != nil {
				return "", err
			}
			text := fmt.Sprintf("stored %d repeats %d revised %d skipped %d", r.Stored, r.Repeats, r.Revised, r.Skipped)
			for _, f := range r.Refused {
				for q := f.First; q <= f.Last; q++ {
					text += fmt.Sprintf(", %d %s", q, fateText(f))
				}
			}
			return text, nil
		},
	}
}

func appendOf(b logdb.Batch) operation {
	return operation{
		meter: b.Meter, kind: b.Kind, text: "append " + batchText(&b),
		apply: func(ctx context.Context, s logdb.Store) (string, error) {
			a, err := s.Append(ctx, b)
			if err != nil {
				return "", err
			}
			text := fmt.Sprintf("%+v", a)
			chain, err := s.ChainAt(ctx, b.Meter, b.Kind, a.Last)
			if a.Last != 0 && (err != nil || chain != a.Chain) {
				text += fmt.Sprintf(" but the chain there is %s, %v", chain, err)
			}
			for p := a.First; p != 0 && p <= a.Last; p++ {
				raw, err := s.RawAt(ctx, b.Meter, b.Kind, p)
				text += fmt.Sprintf("; %v %s", raw, class(err))
			}
			return text, nil
		},
	}
}

func pageText(p *logdb.Page) string {
	var b strings.Builder
	fmt.Fprintf(&b, "accept stream %q source %q end %d", p.Stream, p.Source, p.JournalEnd)
	if p.Requested {
		b.WriteString(" requested")
	}
	if p.Seen != nil {
		fmt.Fprintf(&b, " seen %d %s", p.Seen.Position, p.Seen.Chain)
	}
	for _, e := range entries(p.Rows, p.Entries) {
		fmt.Fprintf(&b, "\n      %d %s", e.Position, entryText(&e))
	}
	for _, f := range p.Fates {
		fmt.Fprintf(&b, "\n      %d to %d %s", f.First, f.Last, fateText(f))
	}
	return b.String()
}

func batchText(b *logdb.Batch) string {
	var out strings.Builder
	for _, e := range entries(b.Rows, b.Entries) {
		fmt.Fprintf(&out, "\n      %s", entryText(&e))
	}
	return out.String()
}
