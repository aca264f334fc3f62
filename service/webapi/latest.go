package webapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"

	"metermanager/logdb"
	"metermanager/rpc/api"
	"metermanager/service/cloud/registry"
)

var latestParams = []param{{"channels", "Channel keys joined by commas; all without it"}}

// latest answers for every enabled meter of the caller at once, meter by meter, from what the log database keeps of each
// series: no data are read, and only one meter is held in memory.
func (a *API) latest(w http.ResponseWriter, r *http.Request, c caller) error {
	q, err := api.ParseHistoryQuery(r.URL.Query())
	if err != nil {
		return err
	}
	meters, err := a.Meters.Meters(r.Context(), c.Principal)
	if err != nil {
		return err
	}
	// A meter whose data cannot be read by itself is not readable here either.
	meters = slices.DeleteFunc(meters, func(m registry.Meter) bool { return !m.Enabled || m.Customer == "" })
	w.Header().Set("Content-Type", "application/json")
	for i, m := range meters {
		series, err := a.Logs.Series(r.Context(), m.UID)
		if err == nil {
			var doc []byte
			if doc, err = json.Marshal(latestOf(m, series, q.Channels)); err == nil {
				_, err = fmt.Fprintf(w, "%s%s", [...]string{`{"meters":[`, ","}[min(i, 1)], doc)
			}
		}
		switch {
		case err != nil && i == 0:
			return err
		case err != nil: // a part is out: a cut answer must never be taken for a whole one
			a.log.WarnContext(r.Context(), "cut off an answer", "meter", string(m.UID), "err", err)
			panic(http.ErrAbortHandler)
		}
	}
	if len(meters) == 0 {
		return writeBytes(w, []byte("{\"meters\":[]}\n"))
	}
	_, _ = w.Write([]byte("]}\n")) // a client that went away needs no answer
	return nil
}

func latestOf(m registry.Meter, series []logdb.Series, channels []logdb.ChannelKey) api.LatestMeter {
	out := api.LatestMeter{MeterUID: m.UID, Name: m.Settings.Name, Values: []api.LatestValue{}}
	for _, s := range series {
		if s.Count == 0 || len(channels) > 0 && !slices.Contains(channels, s.Channel) {
			continue
		}
		one := api.LatestValue{Key: s.Channel, Time: s.Last, Value: api.Value(s.LastValue)}
		// Series stand in the order of their channels.
		if n := len(out.Values); n > 0 && out.Values[n-1].Key == s.Channel {
			if s.Last > out.Values[n-1].Time {
				out.Values[n-1] = one
			}
			continue
		}
		out.Values = append(out.Values, one)
	}
	return out
}
