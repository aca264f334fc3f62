package webapi

import (
	"context"
	"net/http"

	"metermanager/logdb"
	"metermanager/rpc/api"
)

// Numbers of positions in a raw answer.
const (
	defaultRaw = 20_000
	maxRaw     = 200_000
	// maxRawWaves bounds recordings, each of which may take a megabyte.
	maxRawWaves = 50
)

// rawQuery asks for parts of streams as they can be replayed.
type rawQuery struct {
	kind     logdb.Kind
	from, to logdb.Millis
	stream   logdb.StreamID // zero: all streams
	log      *logdb.LogNo
	limit    int
	cursor   string
	dialect  api.Dialect
}

// rawPages answers pages with positions, fates and origins, stream by stream.
func (a *API) rawPages(w http.ResponseWriter, r *http.Request, uid logdb.MeterUID, q rawQuery) error {
	out, err := a.readRaw(r.Context(), uid, q)
	if err != nil {
		return err
	}
	return writeBytes(w, api.AppendPages(nil, out, q.dialect))
}

func (a *API) readRaw(ctx context.Context, uid logdb.MeterUID, q rawQuery) (*api.Pages, error) {
	streams, err := a.rawStreams(ctx, uid, q)
	if err != nil {
		return nil, err
	}
	first := logdb.Position(1)
	if q.cursor != "" {
		stream, p, err := parseRawCursor(q.cursor)
		if err != nil {
			return nil, err
		}
		for len(streams) > 0 && streams[0] != stream {
			streams = streams[1:]
		}
		if len(streams) == 0 {
			return nil, errCursor
		}
		first = p
	}
	left := rawLimit(q)
	out := &api.Pages{Meter: uid, Kind: q.kind}
	for _, stream := range streams {
		for {
			page, err := a.Logs.ReadStream(ctx, uid, q.kind, stream, first, left)
			if err != nil {
				return nil, err
			}
			last, n := extent(&page)
			if n == 0 {
				break
			}
			first = last + 1
			left -= n
			if cutPage(&page, q); !emptyPage(&page) {
				out.Pages = append(out.Pages, page)
			}
			if left <= 0 {
				out.Next = rawCursor(stream, first)
				return out, nil
			}
		}
		first = 1
	}
	return out, nil
}

func rawLimit(q rawQuery) int {
	most := maxRaw
	if q.kind == logdb.KindWaveform {
		most = maxRawWaves
	}
	if q.limit == 0 {
		return min(defaultRaw, most)
	}
	return min(q.limit, most)
}

func (a *API) rawStreams(ctx context.Context, uid logdb.MeterUID, q rawQuery) ([]logdb.StreamID, error) {
	if !q.stream.IsZero() {
		return []logdb.StreamID{q.stream}, nil
	}
	states, err := a.Logs.Streams(ctx, uid, q.kind)
	if err != nil {
		return nil, err
	}
	var out []logdb.StreamID
	for _, s := range states {
		out = append(out, s.Stream)
	}
	return out, nil
}

// extent returns the highest position of a page and how many positions it holds; ranges
// of fates count once, since they take no room.
func extent(p *logdb.Page) (last logdb.Position, n int) {
	for i := range p.Rows {
		if k := p.Rows[i].Len(); k > 0 {
			last = max(last, p.Rows[i].Positions[k-1])
			n += k
		}
	}
	for i := range p.Entries {
		last = max(last, p.Entries[i].Position)
	}
	for _, f := range p.Fates {
		last = max(last, f.Last)
	}
	return last, n + len(p.Entries) + len(p.Fates)
}

func emptyPage(p *logdb.Page) bool {
	return len(p.Rows) == 0 && len(p.Entries) == 0 && len(p.Fates) == 0
}

// cutPage keeps what lies in the query's range and log. Cuts of pages are free: what is
// left out is undecided at the receiver. Revises and withdraws stay whatever their time.
func cutPage(p *logdb.Page, q rawQuery) {
	if q.from == 0 && q.to == 0 && q.log == nil {
		return
	}
	in := func(log logdb.LogNo, t logdb.Millis) bool {
		return t >= q.from && t < orEnd(q.to) && (q.log == nil || *q.log == log)
	}
	var rows []logdb.History
	for i := range p.Rows {
		h := &p.Rows[i]
		for first := 0; first < h.Len(); {
			end := first
			for end < h.Len() && in(h.Log, h.Times[end]) {
				end++
			}
			if end > first {
				rows = append(rows, h.Slice(first, end))
			}
			first = end + 1
		}
	}
	p.Rows = rows
	entries := p.Entries[:0:0]
	for _, e := range p.Entries {
		if e.Target != 0 || in(e.Log, e.Time) {
			entries = append(entries, e)
		}
	}
	p.Entries = entries
	fates := p.Fates[:0:0]
	for _, f := range p.Fates {
		if q.log == nil && f.LastTime >= q.from && f.FirstTime < orEnd(q.to) {
			fates = append(fates, f)
		}
	}
	p.Fates = fates
}
