package api

import (
	"errors"
	"fmt"

	"metermanager/logdb"
)

// Pages is a raw answer: parts of streams that can be replayed into another node.
type Pages struct {
	Meter logdb.MeterUID
	Kind  logdb.Kind
	Pages []logdb.Page
	Next  string
}

// AppendPages appends a raw answer.
func AppendPages(b []byte, a *Pages, dialect Dialect) []byte {
	w := pageWriter{b: append(b, '{')}
	w.text("meter_uid", string(a.Meter))
	w.text("kind", a.Kind.String())
	w.name("pages")
	w.b = append(w.b, '[')
	for i := range a.Pages {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		w.b = AppendPage(w.b, &a.Pages[i], dialect)
	}
	w.b = append(w.b, ']')
	if a.Next != "" {
		w.text("next", a.Next)
	}
	return append(w.b, '}', '\n')
}

// ParsePages reads a raw answer; each page is held to the rules of uploads.
func ParsePages(kind logdb.Kind, body []byte, lim ScanLimits) (Pages, error) {
	if lim.Bytes == 0 {
		lim.Bytes = 1 << 30
	}
	s := newScan(body, lim)
	out := Pages{Kind: kind}
	var inner error
	s.object("an object", func(name string, off int) {
		switch name {
		case "meter_uid":
			out.Meter = logdb.MeterUID(s.str(name))
		case "next":
			out.Next = s.str(name)
		case "pages":
			s.array("an array of pages", func(n, at int) {
				s.skip()
				if s.err != nil || inner != nil {
					return
				}
				up, err := ParsePage(kind, s.b[at:s.i], lim)
				if err != nil {
					inner = fmt.Errorf("read page %d of a raw answer: %w", n, err)
					return
				}
				out.Pages = append(out.Pages, up.Page)
			})
		default:
			s.ignore()
		}
	})
	if err := errors.Join(s.done(), inner); err != nil {
		return Pages{}, fmt.Errorf("read raw answer: %w", err)
	}
	return out, nil
}

// AppendRecording appends one recording with its samples: a page that holds only that.
func AppendRecording(b []byte, meter logdb.MeterUID, stream logdb.StreamID, e *logdb.Entry) []byte {
	plain := *e
	plain.Op, plain.Target, plain.Replaces = logdb.OpAdd, 0, logdb.Digest{}
	plain.By, plain.At, plain.Why = "", 0, ""
	return AppendPage(b, &logdb.Page{
		Meter: meter, Kind: logdb.KindWaveform, Stream: stream, Entries: []logdb.Entry{plain}, JournalEnd: e.Position,
	}, DialectJSON)
}
