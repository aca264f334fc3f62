package webapi

import (
	"context"

	"metermanager/logdb"
	"metermanager/rpc/api"
)

// correctedIn marks what an answer shows that is not as it was first recorded.
func (a *API) correctedIn(ctx context.Context, p *historyPlan) (api.Corrected, error) {
	out := api.Corrected{Records: []api.CorrectedRecord{}}
	changes, ok := a.Logs.(logdb.Changes)
	if !ok {
		return out, nil
	}
	shown := map[logdb.ChannelKey]bool{}
	for _, c := range p.choice.Columns {
		shown[c.Channel] = true
	}
	others := 0
	n, err := changes.ReadChanged(ctx, p.uid, logdb.KindHistorical, p.first, p.last, api.MaxCorrected, func(stream logdb.StreamID, v []logdb.Entry) error {
		one, changed := api.CorrectedRecordOf(stream, v, func(key logdb.ChannelKey) bool { return shown[key] || len(p.q.Channels) == 0 })
		if !changed || p.q.Log != nil && v[len(v)-1].Log != *p.q.Log || !p.q.Stream.IsZero() && stream != p.q.Stream {
			others++
			return nil
		}
		out.Records = append(out.Records, one)
		return nil
	})
	out.Count = n - others
	return out, err
}
