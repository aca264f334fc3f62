package api

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"metermanager/logdb"
)

// Upload is what an upload's body says.
type Upload struct {
	APIKey string
	// Page has no Source: that is the credential's, which the receiver knows. Its Meter is ""
	// when the body does not name it.
	Page     logdb.Page
	BareKeys int // member names without quotes
	Ignored  int // members and columns that are not known
}

// Receipt returns the receipt of a body: its SHA-256 in hex.
func Receipt(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

// ParsePage reads an upload of a kind: the seed's shape, with or without the members that
// give positions. It accepts standard JSON, member names without quotes, and a bare NaN where
// a number may stand. Absent values (null, NaN) become NaN. A body is valid whole or refused
// whole; the error is a *fault.Error around a *ScanError, which knows the byte offset.
//
// Positioned entries are returned in the order of their positions.
func ParsePage(kind logdb.Kind, body []byte, lim ScanLimits) (Upload, error) {
	p := pageScan{scan: newScan(body, lim), kind: kind}
	p.up.Page.Kind = kind
	p.page()
	var refused *ScanError
	if err := p.done(); errors.As(err, &refused) {
		return Upload{}, refused.Fault()
	}
	if err := p.up.check(); err != nil {
		return Upload{}, (&ScanError{Offset: -1, Why: RefusedShape, What: err.Error()}).Fault()
	}
	p.up.BareKeys, p.up.Ignored = p.bare, p.seen
	return p.up, nil
}

// check applies the rules of logdb to the page, with what only the receiver knows filled in.
func (u *Upload) check() error {
	page := u.Page
	if page.Meter == "" {
		page.Meter = "-"
	}
	if page.Stream.IsZero() {
		page.Source = "-"
	}
	return page.Check()
}

// pageScan reads one page. Members may stand in any order, so what depends on another
// member is passed over first and read at the end.
type pageScan struct {
	*scan
	kind    logdb.Kind
	up      Upload
	rows    int // records and positions so far
	records int // recordings so far
	answer  bool

	any        bool // a list of records stood there, though perhaps empty
	positioned int  // offset of the first member that needs a stream
}

func (p *pageScan) page() {
	top := block{}
	page := &p.up.Page
	stream, changes := false, 0
	seen, told := logdb.End{}, false
	p.object("an object", func(name string, off int) {
		switch name {
		case "apikey":
			p.up.APIKey = p.str("apikey")
		case "meter_uid":
			page.Meter = logdb.MeterUID(p.str("meter_uid"))
			if len(page.Meter) > 200 {
				p.fail(off, RefusedLimit, "meter_uid is longer than 200 bytes")
			}
		case "stream":
			stream = true
			p.stream()
		case "fates":
			p.needsStream(off)
			page.Fates = p.fates()
		case "journal_end":
			p.needsStream(off)
			page.JournalEnd = p.position("journal_end")
		case "chain":
			page.Chain = p.digest("chain")
		case "seen_end":
			p.needsStream(off)
			seen.Position, told = p.position("seen_end"), true
		case "seen_chain":
			seen.Chain = p.digest("seen_chain")
		case "requested":
			page.Requested = p.boolean()
		case "changes":
			changes = p.i + 1
			p.skip()
		case "blocks":
			p.blocks()
		case "recordings":
			p.recordings(off)
		default:
			if !p.blockMember(&top, name, off) {
				p.ignore()
			}
		}
	})
	if told {
		page.Seen = &seen
	}
	p.finish(&top)
	p.changes(changes)
	p.settle(stream)
}

// settle applies the rules that need the whole page.
func (p *pageScan) settle(stream bool) {
	page := &p.up.Page
	switch {
	case p.err != nil:
	case p.positioned > 0 && page.Stream.IsZero():
		p.shape(p.positioned-1, "this member needs a stream")
	case page.Stream.IsZero() && stream:
		p.shape(-1, "the stream is empty")
	case page.Stream.IsZero() && len(page.Rows) == 0 && len(page.Entries) == 0 && !p.any:
		p.shape(-1, "the page holds no records")
	}
	if !page.Stream.IsZero() {
		slices.SortStableFunc(page.Entries, func(a, b logdb.Entry) int {
			switch {
			case a.Position < b.Position:
				return -1
			case a.Position > b.Position:
				return 1
			}
			return 0
		})
	}
}

func (p *pageScan) needsStream(off int) {
	if p.positioned == 0 {
		p.positioned = off + 1
	}
}

func (p *pageScan) stream() {
	p.peek()
	off := p.i
	text := p.str("stream")
	id, err := logdb.ParseStream(text)
	if err != nil {
		p.shape(off, "a stream is 32 hex digits, a colon and a policy number")
	}
	p.up.Page.Stream = id
}

func (p *pageScan) digest(what string) (d logdb.Digest) {
	p.peek()
	off := p.i
	if err := d.UnmarshalText([]byte(p.str(what))); err != nil {
		p.shape(off, what+" must have 32 hex digits")
	}
	return d
}

// count adds n records to the page and reports whether they are still within the limit.
func (p *pageScan) count(n, off int) bool {
	p.rows += n
	if p.rows > p.lim.Rows {
		p.fail(off, RefusedLimit, fmt.Sprintf("more than %d records in one page", p.lim.Rows))
	}
	return p.err == nil
}

func (p *pageScan) blocks() {
	p.array("an array of blocks", func(n, off int) {
		if n >= p.lim.Blocks {
			p.fail(off, RefusedLimit, fmt.Sprintf("more than %d blocks", p.lim.Blocks))
			return
		}
		blk := block{}
		p.object("a block", func(name string, at int) {
			if !p.blockMember(&blk, name, at) {
				p.ignore()
			}
		})
		p.finish(&blk)
	})
}
