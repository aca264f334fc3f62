package webapi

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"metermanager/logdb"
	"metermanager/logdb/analysis"
	"metermanager/logdb/pq"
	"metermanager/rpc/api"
	"metermanager/rpc/fault"
	"metermanager/rpc/permission"
)

type recordingPath struct {
	MeterPath
	Recording string `path:"recording" maxLength:"128" doc:"Id of the recording"`
}

// settingsFor returns the settings of a meter whose logs the caller may read.
func (a *API) settingsFor(ctx context.Context, c caller, uid logdb.MeterUID) (logdb.Settings, error) {
	if _, err := a.Meters.Access(ctx, c.Principal, permission.LogsRead, uid); err != nil {
		return logdb.Settings{}, err
	}
	s, err := a.Logs.Settings(ctx, uid)
	if errors.Is(err, logdb.ErrUnknownMeter) {
		return logdb.Settings{}, nil // it has sent none
	}
	return s, err
}

// analyseRecording looks at one recording from all sides.
func (a *API) analyseRecording(ctx context.Context, c caller, in *recordingPath) (*api.RecordingAnalysis, error) {
	settings, err := a.settingsFor(ctx, c, in.UID)
	if err != nil {
		return nil, err
	}
	id, err := api.ParseRecordingID(in.Recording)
	if err != nil {
		return nil, err
	}
	e, err := a.Logs.Recording(ctx, in.UID, id.Stream, id.Position)
	if errors.Is(err, logdb.ErrNotFound) || errors.Is(err, logdb.ErrUnknownMeter) {
		return nil, fault.Wrap(fault.NotFound, "There is no such recording.", err).At("recording")
	} else if err != nil {
		return nil, err
	}
	found, err := pq.Analyse(pq.FromWaveform(e.Waveform, settings), pq.Options{})
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, "This recording cannot be analysed: "+err.Error()+".", err).At("recording")
	}
	out := api.AnalysisDocument(found)
	out.MeterUID, out.Recording, out.Start = in.UID, in.Recording, e.Time
	return &out, nil
}

// rules are the sets of limits that may be asked for.
var rules = map[string]func() pq.Rules{
	"lv": pq.LowVoltage2010, "mv": pq.MediumVoltage2010, "lv-island": pq.LowVoltageIsland2010,
}

type weekInput struct {
	MeterPath
	Week  string `query:"week" maxLength:"64" doc:"ISO week, 2026-W10, in the site's zone; or the date of its first day. The last whole week without it"`
	Rules string `query:"rules" enum:"lv,mv,lv-island" doc:"Low voltage (without it), medium voltage, low voltage of an island"`
}

// en50160 holds a week against EN 50160.
func (a *API) en50160(ctx context.Context, c caller, in *weekInput) (*api.WeekEvaluation, error) {
	settings, err := a.settingsFor(ctx, c, in.UID)
	if err != nil {
		return nil, err
	}
	set := rules[in.Rules]
	if set == nil {
		set = pq.LowVoltage2010
	}
	zone := a.zone(settings.Zone)
	from, err := parseWeek(in.Week, zone, a.cfg.Now())
	if err != nil {
		return nil, err
	}
	week, err := analysis.EN50160Week(ctx, a.Logs, in.UID, settings, logdb.MillisOf(from))
	if err != nil {
		return nil, err
	}
	return &api.WeekEvaluation{
		MeterUID: in.UID, From: logdb.MillisOf(from), To: logdb.MillisOf(from) + 7*logdb.DayMillis, Zone: zone.String(), Report: pq.Evaluate(week, set()),
	}, nil
}

// parseWeek returns the first moment of a week in a zone.
func parseWeek(text string, zone *time.Location, now time.Time) (time.Time, error) {
	if text == "" {
		day := now.In(zone)
		return time.Date(day.Year(), day.Month(), day.Day()-(int(day.Weekday())+6)%7-7, 0, 0, 0, 0, zone), nil
	}
	if year, week, ok := strings.Cut(text, "-W"); ok {
		y, err1 := strconv.Atoi(year)
		w, err2 := strconv.Atoi(week)
		if err1 == nil && err2 == nil && y >= 1970 && y <= 9000 && w >= 1 && w <= 53 {
			// The 4th of January lies in week 1 (ISO 8601).
			fourth := time.Date(y, 1, 4, 0, 0, 0, 0, zone)
			first := time.Date(y, 1, 4-(int(fourth.Weekday())+6)%7+7*(w-1), 0, 0, 0, 0, zone)
			if yy, ww := first.ISOWeek(); yy == y && ww == w {
				return first, nil
			}
		}
	} else if day, err := time.ParseInLocation("2006-01-02", text, zone); err == nil && day.Year() >= 1970 {
		return day, nil
	}
	return time.Time{}, fault.New(fault.Invalid, "A week is written 2026-W10, or as the date of its first day.").At("week")
}

type groupsInput struct {
	PageInput
	From       string `query:"from" required:"true" maxLength:"64" doc:"First time: RFC 3339, or ms since 1970"`
	To         string `query:"to" required:"true" maxLength:"64" doc:"First time behind the range; 31 days after from at most"`
	Meters     string `query:"meters" maxLength:"4096" doc:"UIDs, joined by commas; all that the caller may see without it"`
	Within     int64  `query:"within_ms" minimum:"0" maximum:"60000" default:"100" doc:"Events further apart are not joined"`
	ClockError int64  `query:"clock_error_ms" minimum:"0" maximum:"3600000" default:"1000" doc:"How far every clock may be off"`
	Offsets    string `query:"clock_offsets" maxLength:"4096" doc:"uid:ms, joined by commas: how far a meter's clock is known to be ahead"`
}

// maxGroupDays bounds a query of groups, which reads the PQ logs of many meters.
const maxGroupDays = 31

// eventGroups joins the PQ events of several meters that may be one event of the network.
func (a *API) eventGroups(ctx context.Context, c caller, in *groupsInput) (*api.EventGroupsAnswer, error) {
	q, err := api.ParseRangeQuery(map[string][]string{"from": {in.From}, "to": {in.To}})
	switch {
	case err != nil:
		return nil, err
	case q.To == 0 || q.To-q.From > maxGroupDays*logdb.DayMillis:
		return nil, fault.New(fault.Invalid, "A range of 31 days at most can be asked for.").At("to")
	}
	offsets, err := parseOffsets(in.Offsets)
	if err != nil {
		return nil, err
	}
	meters, err := a.Meters.Meters(ctx, c.Principal)
	if err != nil {
		return nil, err
	}
	wanted := map[logdb.MeterUID]bool{}
	for uid := range strings.SplitSeq(in.Meters, ",") {
		if uid != "" {
			if _, err := a.Meters.Access(ctx, c.Principal, permission.LogsRead, logdb.MeterUID(uid)); err != nil {
				return nil, err
			}
			wanted[logdb.MeterUID(uid)] = true
		}
	}
	known := map[string]logdb.Settings{}
	var all []pq.Sighting
	for _, m := range meters {
		if len(wanted) > 0 && !wanted[m.UID] {
			continue
		}
		known[string(m.UID)] = m.Settings
		list, err := analysis.Sightings(ctx, a.Logs, m.UID, m.Settings, q.From, q.To)
		if err != nil {
			return nil, err
		}
		for i := range list {
			list[i].ClockOffset, list[i].ClockError = offsets[m.UID], time.Duration(in.ClockError)*time.Millisecond
		}
		all = append(all, list...)
	}
	out := &api.EventGroupsAnswer{WithinMillis: in.Within, ClockErrorMillis: in.ClockError, Groups: []api.EventGroup{}}
	for _, g := range pq.Group(all, time.Duration(in.Within)*time.Millisecond) {
		out.Groups = append(out.Groups, groupDocument(&g, known))
	}
	out.Groups, out.Next, err = pageIn(in.PageInput, "eg", out.Groups, groupPlace)
	if err != nil {
		return nil, err
	}
	return out, nil
}

// groupPlace tells a group from the others of its list.
func groupPlace(g api.EventGroup) string {
	if len(g.Sightings) == 0 {
		return fmt.Sprint(g.Start)
	}
	first := g.Sightings[0]
	return fmt.Sprint(g.Start, " ", first.MeterUID, " ", first.Event)
}

func parseOffsets(text string) (map[logdb.MeterUID]time.Duration, error) {
	out := map[logdb.MeterUID]time.Duration{}
	for part := range strings.SplitSeq(text, ",") {
		if part == "" {
			continue
		}
		uid, number, _ := strings.Cut(part, ":")
		n, err := strconv.ParseInt(number, 10, 64)
		if uid == "" || err != nil || n > 1e12 || n < -1e12 {
			return nil, fault.New(fault.Invalid, "Clock offsets are written uid:ms, joined by commas.").At("clock_offsets")
		}
		out[logdb.MeterUID(uid)] = time.Duration(n) * time.Millisecond
	}
	return out, nil
}

func groupDocument(g *pq.EventGroup, known map[string]logdb.Settings) api.EventGroup {
	out := api.EventGroup{
		Start: logdb.MillisOf(g.Start), End: logdb.MillisOf(g.End), Meters: g.Meters, Spread: g.Spread.Milliseconds(), Tolerance: g.Tolerance.Milliseconds(),
	}
	var others []string
	seen := map[string]bool{g.Worst.Meter: true}
	for i := range g.Sightings {
		s := &g.Sightings[i]
		if !seen[s.Meter] {
			seen[s.Meter] = true
			others = append(others, known[s.Meter].Name)
		}
		out.Sightings = append(out.Sightings, api.EventSighting{
			MeterUID: logdb.MeterUID(s.Meter), Name: known[s.Meter].Name, Event: s.Ref, Start: logdb.MillisOf(s.Start), Corrected: logdb.MillisOf(s.Corrected()),
			Duration: api.SecondsOrNull(s.Duration), Ratio: api.Value(s.Ratio), Phase: s.Phase.String(),
			OfFullScale: !(known[s.Meter].NominalVolts > 0), ClockOffset: s.ClockOffset.Milliseconds(),
			Category: pq.Categorize(s.Duration.Seconds(), s.Ratio, known[s.Meter].NominalHz).String(),
		})
	}
	w := &g.Worst
	out.Summary = known[w.Meter].Name + ": " + pq.Card(w.Phase.String(), w.Ratio, float64(api.SecondsOrNull(w.Duration)), known[w.Meter].NominalHz, others)
	return out
}
