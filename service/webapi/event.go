package webapi

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"metermanager/logdb"
	"metermanager/rpc/api"
	"metermanager/rpc/fault"
	"metermanager/rpc/permission"
)

// Numbers of events in an answer.
const (
	defaultEvents = 1_000
	maxEvents     = 100_000
)

var eventParams = []param{
	{"from", "First time: RFC 3339, or ms since 1970"},
	{"to", "First time behind the range"},
	{"channel", "Limits, PQ: only these channels, joined by commas"},
	{"code", "System events: only these values of event_type, joined by commas"},
	{"limit_id", "Limit events: only these limits"},
	{"min_duration", "Limits, PQ, recordings: at least so many seconds; an event without an end has no duration"},
	{"max_duration", "At most so many seconds"},
	{"min_worst", "Limits, PQ: the worst value is at least this"},
	{"max_worst", "The worst value is at most this"},
	{"min_percent", "Limits, PQ: the worst value is at least so many percent of full scale"},
	{"max_percent", "The worst value is at most so many percent of full scale"},
	{"type", "Limits: below or above; PQ: sag or surge; or the number of except_type"},
	{"text", "System events: a part of the description or type; recordings: of a trigger"},
	{"gaps", "true: periods without data, with their cause, instead of records"},
	{"withdrawn", "true: superseded and withdrawn versions too"},
	{"raw", "true: pages with positions and fates, which can be replayed into another node"},
	{"stream", "Only this stream; without it, of the journals of several nodes each day shows the one with most events"},
	{"limit", "At most so many; 1000 without it"},
	{"cursor", "next of the answer before"},
}

// events answers events of a kind, or the list of recordings.
func (a *API) events(w http.ResponseWriter, r *http.Request, c caller) error {
	kind, err := parseKind(r.PathValue("kind"))
	if err != nil {
		return err
	}
	uid := logdb.MeterUID(r.PathValue("meter_uid"))
	if _, err := a.Meters.Access(r.Context(), c.Principal, permission.LogsRead, uid); err != nil {
		return err
	}
	q, err := api.ParseEventsQuery(kind, r.URL.Query())
	if err != nil {
		return err
	}
	if q.Raw {
		return a.rawPages(w, r, uid, rawQuery{kind: kind, from: q.From, to: q.To, stream: q.Stream, limit: q.Limit, cursor: q.Cursor})
	}
	return a.answerEvents(w, r, uid, q)
}

func (a *API) answerEvents(w http.ResponseWriter, r *http.Request, uid logdb.MeterUID, q api.EventsQuery) error {
	out, err := a.readEvents(r.Context(), uid, q)
	if err != nil {
		return err
	}
	return writeBytes(w, api.AppendEvents(nil, out))
}

// errEnough ends a read that has what it needs.
var errEnough = errors.New("enough")

func (a *API) readEvents(ctx context.Context, uid logdb.MeterUID, q api.EventsQuery) (*api.Events, error) {
	limit := q.Limit
	if limit == 0 {
		limit = defaultEvents
	}
	limit = min(limit, maxEvents)
	query := logdb.EventQuery{
		Meter: uid, Kind: q.Kind, First: q.From, Last: q.To, Channels: q.Channels, Codes: q.Codes, LimitIDs: q.LimitIDs,
		Gaps: q.Gaps, Withdrawn: q.Withdrawn,
	}
	var choice eventChoice
	if q.Stream.IsZero() && !q.Gaps { // every node's own gaps stay
		var err error
		if choice, err = a.chooseEvents(ctx, uid, q.Kind, q.From, orEnd(q.To)); err != nil {
			return nil, err
		}
	}
	var states []logdb.StreamState
	if q.Stream.IsZero() && q.Gaps {
		var err error
		if states, err = a.Logs.Streams(ctx, uid, q.Kind); err != nil && !errors.Is(err, logdb.ErrUnknownMeter) {
			return nil, err
		}
	}
	if q.Stream.IsZero() && choice.journal == nil && q.Filter.IsZero() && !q.Gaps {
		query.Limit = limit + 1 // one more tells whether there is more
	}
	if q.Cursor != "" {
		after, err := parseEventCursor(q.Cursor)
		if err != nil {
			return nil, err
		}
		query.After = &after
	}
	out := &api.Events{Meter: uid, Kind: q.Kind, Gaps: q.Gaps, Alternatives: choice.hidden}
	err := a.Logs.ReadEvents(ctx, query, func(s logdb.StreamID, e *logdb.Entry) error {
		switch {
		case !q.Stream.IsZero() && s != q.Stream, !choice.shows(s, e.Time), !q.Gaps && !q.Filter.Passes(e):
			return nil
		case inEarlierCut(states, s, e.Position):
			return nil
		case len(out.Events) == limit:
			last := out.Events[limit-1]
			out.Next = eventCursor(logdb.CursorAt(last.ID.Stream, &last.Entry))
			return errEnough
		}
		// A record is named by its add, whatever version of it is live.
		out.Events = append(out.Events, api.Event{ID: api.RecordingID{Position: cmp.Or(e.Target, e.Position), Stream: s}, Entry: *e})
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return nil, err
	}
	out.Limits, err = a.limitSummary(ctx, uid, q.Kind, q.From, orEnd(q.To))
	return out, err
}

// inEarlierCut reports whether another part of the journal holds a position, too: a gap goes with every part that is sent as a stream of
// its own, as channels that were added later are.
func inEarlierCut(states []logdb.StreamState, s logdb.StreamID, p logdb.Position) bool {
	_, cut, _ := strings.Cut(s.Policy, "+")
	return slices.ContainsFunc(states, func(st logdb.StreamState) bool {
		_, other, _ := strings.Cut(st.Stream.Policy, "+")
		r, ok := st.Fates.At(p)
		return st.Stream.Journal == s.Journal && other < cut && ok && r.Fate == logdb.FateStored
	})
}

func orEnd(t logdb.Millis) logdb.Millis {
	if t == 0 {
		return logdb.MaxTime
	}
	return t
}

// recording answers one recording with its samples, in the shape of an upload.
func (a *API) recording(w http.ResponseWriter, r *http.Request, c caller) error {
	uid := logdb.MeterUID(r.PathValue("meter_uid"))
	if _, err := a.Meters.Access(r.Context(), c.Principal, permission.LogsRead, uid); err != nil {
		return err
	}
	id, err := api.ParseRecordingID(r.PathValue("recording"))
	if err != nil {
		return err
	}
	e, err := a.Logs.Recording(r.Context(), uid, id.Stream, id.Position)
	if errors.Is(err, logdb.ErrNotFound) || errors.Is(err, logdb.ErrUnknownMeter) {
		return fault.Wrap(fault.NotFound, "There is no such recording.", err).At("recording")
	} else if err != nil {
		return err
	}
	return writeBytes(w, api.AppendRecording(nil, uid, id.Stream, &e))
}

func writeBytes(w http.ResponseWriter, body []byte) error {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(body) // a client that went away needs no answer
	return nil
}
