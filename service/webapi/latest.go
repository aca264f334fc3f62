package webapi

import (
	"encoding/json"
	"fmt"
	"net/http"

	"metermanager/logdb"
	"metermanager/logdb/analysis"
	"metermanager/rpc/api"
	"metermanager/service/command"
)

var latestParams = append([]param{{"channels", "Channel keys joined by commas; all without it"}}, pageParams...)

// latest answers for every enabled meter of the caller at once, meter by meter, from what the log database keeps of each
// series: no data are read, and only one meter is held in memory.
func (a *API) latest(w http.ResponseWriter, r *http.Request, c caller) error {
	q, err := api.ParseHistoryQuery(r.URL.Query())
	if err != nil {
		return err
	}
	in, err := pageInput(r.URL.Query())
	if err != nil {
		return err
	}
	after, limit, err := in.after("l")
	if err != nil {
		return err
	}
	meters, more, err := a.Meters.MetersAfter(r.Context(), c.Principal, logdb.MeterUID(after), limit)
	if err != nil {
		return err
	}
	end := "]}\n"
	if more {
		end = `],"next":"` + nextAfter("l", string(meters[len(meters)-1].UID)) + "\"}\n"
	}
	// A meter whose data cannot be read by itself is not readable here either.
	meters = command.ReadableMeters(meters)
	w.Header().Set("Content-Type", "application/json")
	for i, m := range meters {
		series, err := a.Logs.Series(r.Context(), m.UID)
		if err == nil {
			_, series, err = analysis.Current(r.Context(), a.Logs, m.UID, series)
		}
		if err == nil {
			var doc []byte
			if doc, err = json.Marshal(command.LatestOf(m, series, q.Channels)); err == nil {
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
		return writeBytes(w, []byte(`{"meters":[`+end))
	}
	_, _ = w.Write([]byte(end)) // a client that went away needs no answer
	return nil
}
