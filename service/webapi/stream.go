package webapi

import (
	"context"
	"fmt"

	"metermanager/logdb"
	"metermanager/rpc/api"
	"metermanager/rpc/fault"
	"metermanager/rpc/permission"
)

// LogPath is the meter and the kind of log of a path.
type LogPath struct {
	MeterPath
	Kind string `path:"kind" maxLength:"32" doc:"historical, waveform, system, limits or pq"`
}

// log checks that c may do perm with the log.
func (a *API) logAccess(ctx context.Context, c caller, perm permission.Permission, in LogPath) (logdb.Kind, error) {
	kind, err := parseKind(in.Kind)
	if err != nil {
		return 0, err
	}
	_, err = a.Meters.Access(ctx, c.Principal, perm, in.UID)
	return kind, err
}

func parseKind(text string) (logdb.Kind, error) {
	kind, err := logdb.ParseKind(text)
	if err != nil {
		return 0, fault.Wrap(fault.NotFound, "There is no such kind of log.", err).At("kind").
			WithHint("One of historical, waveform, system, limits, pq.")
	}
	return kind, nil
}

func parseStream(text string) (logdb.StreamID, error) {
	stream, err := logdb.ParseStream(text)
	if err != nil || stream.IsZero() {
		return stream, fault.New(fault.Invalid, "A stream is 32 hex digits, a colon and a policy number.").At("stream")
	}
	return stream, nil
}

type streamsInput struct {
	LogPath
	RestInput
}

func (a *API) streams(ctx context.Context, c caller, in *streamsInput) (*api.StreamsAnswer, error) {
	kind, err := a.logAccess(ctx, c, permission.Upload, in.LogPath)
	if err != nil {
		return nil, err
	}
	a.noteWaiting(c, in.UID)
	states, err := a.Logs.Streams(ctx, in.UID, kind)
	if err != nil {
		return nil, err
	}
	states, next, err := pageIn(in.page(), "st", states, func(s logdb.StreamState) string { return s.Stream.String() })
	if err != nil {
		return nil, err
	}
	out := &api.StreamsAnswer{MeterUID: in.UID, Kind: kind.String(), Streams: []api.StreamInfo{}, Next: next}
	for _, s := range states {
		out.Streams = append(out.Streams, api.StreamInfoOf(s))
	}
	return out, nil
}

type marksInput struct {
	LogPath
	Journal string         `query:"journal" required:"true" maxLength:"32" doc:"32 hex digits: any name of the journal"`
	First   logdb.Position `query:"first" required:"true" minimum:"1" doc:"The first position"`
	Last    logdb.Position `query:"last" required:"true" minimum:"1" doc:"The last position: 255 behind the first at most, 7 of recordings"`
}

func (a *API) marks(ctx context.Context, c caller, in *marksInput) (*api.MarksAnswer, error) {
	kind, err := a.logAccess(ctx, c, permission.Upload, in.LogPath)
	if err != nil {
		return nil, err
	}
	stream, err := logdb.ParseStream(in.Journal + ":0")
	if err != nil || stream.IsZero() {
		return nil, fault.New(fault.Invalid, "A journal is 32 hex digits.").At("journal")
	}
	marks, err := logdb.Marks(ctx, a.Logs, in.UID, kind, stream.Journal, in.First, in.Last)
	if err != nil {
		return nil, err
	}
	out := api.MarksAnswerOf(in.UID, kind, stream.Journal, marks)
	return &out, nil
}

type digestsInput struct {
	LogPath
	RestInput
	Stream string `query:"stream" maxLength:"64" doc:"Journal and policy, joined by a colon; without it only what belongs to no stream"`
}

func (a *API) digests(ctx context.Context, c caller, in *digestsInput) (*api.DigestsAnswer, error) {
	kind, err := a.logAccess(ctx, c, permission.Upload, in.LogPath)
	if err != nil {
		return nil, err
	}
	var stream logdb.StreamID
	if in.Stream != "" {
		if stream, err = parseStream(in.Stream); err != nil {
			return nil, err
		}
	}
	audit, err := a.audit(ctx, in.UID, kind, stream)
	if err != nil {
		return nil, err
	}
	out := api.DigestsAnswerOf(in.UID, kind, stream, audit)
	out.Days, out.Next, err = pageIn(in.page(), "dg", out.Days, func(d api.DigestInfo) string { return fmt.Sprintf("%d %s %d", d.Log, d.Channel, d.Day) })
	if err != nil {
		return nil, err
	}
	return &out, nil
}

// audit asks the log database for all that it can say about a stream.
func (a *API) audit(ctx context.Context, uid logdb.MeterUID, kind logdb.Kind, stream logdb.StreamID) (logdb.Audit, error) {
	if auditor, ok := a.Logs.(logdb.Auditor); ok {
		return auditor.Audit(ctx, uid, kind, stream)
	}
	if stream.IsZero() {
		return logdb.Audit{}, nil
	}
	days, err := a.Logs.Digests(ctx, uid, kind, stream)
	return logdb.Audit{Days: days}, err
}

type forgetInput struct {
	LogPath
	Body api.ForgetRequest
}

func (a *API) forget(ctx context.Context, c caller, in *forgetInput) (*api.ForgetAnswer, error) {
	kind, err := a.logAccess(ctx, c, permission.LogsDelete, in.LogPath)
	if err != nil {
		return nil, err
	}
	stream, err := parseStream(in.Body.Stream)
	if err != nil {
		return nil, err
	}
	if in.Body.From < logdb.MinTime || in.Body.To <= in.Body.From || in.Body.To > logdb.MaxTime {
		return nil, fault.New(fault.Invalid, "The range must end after it begins.").At("to")
	}
	n, err := a.Logs.Forget(ctx, in.UID, kind, stream, in.Body.From, in.Body.To)
	if err != nil {
		return nil, err
	}
	a.log.InfoContext(ctx, "removed records to be sent again", "meter", string(in.UID), "kind", kind.String(), "count", n, "user", string(c.User), "key", string(c.Key))
	return &api.ForgetAnswer{Removed: n}, nil
}

func (a *API) clear(ctx context.Context, c caller, in *LogPath) (*done, error) {
	kind, err := a.logAccess(ctx, c, permission.LogsDelete, *in)
	if err != nil {
		return nil, err
	}
	if err := a.Logs.Clear(ctx, in.UID, kind); err != nil {
		return nil, err
	}
	a.log.InfoContext(ctx, "cleared a log", "meter", string(in.UID), "kind", kind.String(), "user", string(c.User), "key", string(c.Key))
	return &done{true}, nil
}
