package webapi

import (
	"context"
	"fmt"

	"metermanager/logdb"
	"metermanager/logdb/limit"
	"metermanager/rpc/api"
	"metermanager/rpc/permission"
)

// Uploads tells what this node does not send of its own journals, and why. A node that sends nothing has none.
type Uploads interface {
	Skipped(ctx context.Context, meter logdb.MeterUID, kind logdb.Kind) ([]api.SkippedPart, error)
}

// Numbers of lines of a list of what was skipped.
const (
	defaultSkipped = 1000
	maxSkipped     = 10_000
)

type skippedInput struct {
	LogPath
	From   string `query:"from" maxLength:"64" doc:"First time: RFC 3339, or ms since 1970"`
	To     string `query:"to" maxLength:"64" doc:"First time behind the range"`
	Limit  int    `query:"limit" minimum:"0" maximum:"10000" doc:"How many lines; 1000 without it"`
	Cursor string `query:"cursor" maxLength:"128" doc:"Next of the answer before"`
}

// skipped lists what limits kept back, here and on the way to other nodes.
func (a *API) skipped(ctx context.Context, c caller, in *skippedInput) (*api.SkippedAnswer, error) {
	kind, err := a.logAccess(ctx, c, permission.LogsRead, in.LogPath)
	if err != nil {
		return nil, err
	}
	first, last, err := MeterRange{From: in.From, To: in.To}.span()
	if err != nil {
		return nil, err
	}
	parts, own, err := a.skippedParts(ctx, in.UID, kind)
	if err != nil {
		return nil, err
	}
	l := &skipList{api: a, meter: in.UID, kind: kind, own: own, first: first, last: last, left: in.Limit}
	if l.left <= 0 {
		l.left = defaultSkipped
	}
	l.left = min(l.left, maxSkipped)
	part, p := 0, logdb.Position(1)
	if in.Cursor != "" {
		if n, err := fmt.Sscanf(in.Cursor, "%d.%d", &part, &p); n != 2 || err != nil || part < 0 || p == 0 {
			return nil, errBadCursor
		}
	}
	out := &api.SkippedAnswer{MeterUID: in.UID, Kind: kind.String(), Skipped: []api.Skipped{}}
	for ; part < len(parts); part++ {
		next, err := l.part(ctx, &parts[part], p)
		if err != nil {
			return nil, err
		}
		if next > 0 {
			out.Next = fmt.Sprintf("%d.%d", part, next)
			break
		}
		p = 1
	}
	out.Skipped = append(out.Skipped, l.out...)
	return out, nil
}

// skippedParts lists the streams that came here and those that leave, and the id of the own journal.
func (a *API) skippedParts(ctx context.Context, uid logdb.MeterUID, kind logdb.Kind) (parts []api.SkippedPart, own logdb.StreamID, err error) {
	streams, err := a.Logs.Streams(ctx, uid, kind)
	if err != nil {
		return nil, own, err
	}
	for _, s := range streams {
		if s.Own {
			own = s.Stream
			continue
		}
		parts = append(parts, api.SkippedPart{Stream: s.Stream, Fates: s.Fates})
	}
	if a.Uploads == nil || own.IsZero() {
		return parts, own, nil
	}
	sent, err := a.Uploads.Skipped(ctx, uid, kind)
	if err != nil {
		return nil, own, fmt.Errorf("list what is not sent: %w", err)
	}
	return append(parts, sent...), own, nil
}

// skipList collects lines.
type skipList struct {
	api         *API
	meter       logdb.MeterUID
	kind        logdb.Kind
	own         logdb.StreamID
	first, last logdb.Millis
	left        int
	out         []api.Skipped
	times       map[logdb.Position]logdb.Millis // of the entries read last
	read        [2]logdb.Position               // which these are
}

// part lists one stream from position p on and returns where the next part of the list begins, 0 at its end.
func (l *skipList) part(ctx context.Context, part *api.SkippedPart, p logdb.Position) (next logdb.Position, err error) {
	for _, r := range part.Fates.Ranges() {
		if r.Last < p || r.Fate != logdb.FateSkipped && r.Fate != logdb.FateReduced && r.Fate != logdb.FateHeld {
			continue
		}
		if r.Fate != logdb.FateHeld && (r.LastTime < l.first || r.FirstTime >= l.last) {
			continue
		}
		if part.Cloud == "" { // of what was not sent here only the ends of ranges are known
			if l.left <= 0 {
				return r.First, nil
			}
			l.add(part, r)
			continue
		}
		for q := max(r.First, p); q <= r.Last; q++ {
			if l.left <= 0 {
				return q, nil
			}
			at, known, err := l.timeAt(ctx, part.Stream, q)
			if err != nil {
				return 0, err
			}
			if known && (at < l.first || at >= l.last) {
				continue
			}
			one := r
			one.First, one.Last = q, q
			if known {
				one.FirstTime, one.LastTime = at, at
			}
			l.add(part, one)
		}
	}
	return 0, nil
}

func (l *skipList) add(part *api.SkippedPart, r logdb.FateRange) {
	l.left--
	s := api.Skipped{
		Stream: part.Stream.String(), Cloud: part.Cloud, First: r.First, Last: r.Last, Count: r.Count(),
		From: r.FirstTime, To: r.LastTime, Fate: r.Fate.String(), Into: r.Into,
	}
	if r.Fate == logdb.FateSkipped {
		s.By, s.Reason = limit.Who(r.Reason)
	}
	l.out = append(l.out, s)
}

// timeAt returns the time of an entry of the own journal; known is false for one that was cleared, or of a journal
// that has another id by now.
func (l *skipList) timeAt(ctx context.Context, stream logdb.StreamID, p logdb.Position) (at logdb.Millis, known bool, err error) {
	if stream.Journal != l.own.Journal {
		return 0, false, nil
	}
	if p < l.read[0] || p > l.read[1] {
		size := 500
		if l.kind == logdb.KindWaveform { // with their samples
			size = 16
		}
		page, err := l.api.Logs.ReadStream(ctx, l.meter, l.kind, l.own, p, size)
		if err != nil {
			return 0, false, fmt.Errorf("read the journal from position %d: %w", p, err)
		}
		l.times = map[logdb.Position]logdb.Millis{}
		l.read = [2]logdb.Position{p, p + logdb.Position(size) - 1}
		n := 0
		for i := range page.Rows {
			for k, q := range page.Rows[i].Positions {
				l.times[q] = page.Rows[i].Times[k]
				l.read[1] = max(l.read[1], q)
			}
			n += page.Rows[i].Len()
		}
		for i := range page.Entries {
			l.times[page.Entries[i].Position] = page.Entries[i].Time
			l.read[1] = max(l.read[1], page.Entries[i].Position)
		}
	}
	at, known = l.times[p]
	return at, known, nil
}
