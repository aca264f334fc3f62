package webapi

import (
	"context"
	"fmt"
	"strings"

	"metermanager/logdb"
	"metermanager/rpc/api"
	"metermanager/service/cloud/correction"
)

type correctInput struct {
	LogPath
	Body api.CorrectionRequest
}

// correct changes a record of this node's own journal.
func (a *API) correct(ctx context.Context, c caller, in *correctInput) (*api.VersionsAnswer, error) {
	kind, err := parseKind(in.Kind)
	if err != nil {
		return nil, err
	}
	b := &in.Body
	q := correction.Request{
		Meter: in.UID, Kind: kind, Position: b.Position, Log: b.Log, Time: b.Time, Withdraw: b.Withdraw, Restore: b.Restore, Version: b.Version, Why: b.Why,
	}
	if b.Stream != "" {
		if q.Stream, err = parseStream(b.Stream); err != nil {
			return nil, err
		}
	}
	if len(b.Values) > 0 {
		q.Values = map[logdb.ChannelKey]float64{}
	}
	for name, v := range b.Values {
		key, err := logdb.NormalizeChannel(string(name))
		if err != nil {
			return nil, err
		}
		q.Values[key] = float64(v)
	}
	list, err := a.Correct.Correct(ctx, c.Principal, q)
	if err != nil {
		return nil, err
	}
	return versionsAnswer(in.UID, kind, list), nil
}

type versionsInput struct {
	LogPath
	PageInput
	Record string `path:"record" maxLength:"128" doc:"position@journal:policy"`
}

// versions lists the versions of a record.
func (a *API) versions(ctx context.Context, c caller, in *versionsInput) (*api.VersionsAnswer, error) {
	kind, err := parseKind(in.Kind)
	if err != nil {
		return nil, err
	}
	id, err := api.ParseRecordingID(in.Record)
	if err != nil {
		return nil, err
	}
	list, err := a.Correct.Versions(ctx, c.Principal, in.UID, kind, id.Stream, id.Position)
	if err != nil {
		return nil, err
	}
	list, next, err := pageIn(in.PageInput, "v", list, func(v correction.Version) string { return fmt.Sprint(v.Position) })
	if err != nil {
		return nil, err
	}
	out := versionsAnswer(in.UID, kind, list)
	out.Next = next
	return out, nil
}

func versionsAnswer(uid logdb.MeterUID, kind logdb.Kind, list []correction.Version) *api.VersionsAnswer {
	out := &api.VersionsAnswer{MeterUID: uid, Kind: kind.String(), Versions: []api.RecordVersion{}}
	for i := range list {
		v := &list[i]
		d := api.RecordVersion{
			Position: v.Position, Op: v.Op.String(), Live: v.Live, Log: v.Log, Time: v.Time, By: v.By, At: v.At, Why: v.Why, Text: recordText(&v.Entry),
		}
		if v.Row != nil {
			d.Values = map[logdb.ChannelKey]api.Value{}
			for k, key := range v.Row.Channels {
				d.Values[key] = api.Value(v.Row.Values[k])
			}
		}
		out.Versions = append(out.Versions, d)
	}
	return out
}

// recordText says what an event is in a few words.
func recordText(e *logdb.Entry) string {
	switch {
	case e.System != nil:
		return strings.TrimSpace(fmt.Sprintf("%s, code %d %s", e.System.Type, e.System.Code, e.System.Description))
	case e.Excursion != nil:
		return fmt.Sprintf("%s, worst %g, %g s", e.Excursion.Channel, e.Excursion.Worst, e.Excursion.DurationSeconds)
	case e.Waveform != nil:
		return fmt.Sprintf("recording of %d channels: %s", len(e.Waveform.Channels), strings.Join(e.Waveform.Triggers, " "))
	}
	return ""
}
