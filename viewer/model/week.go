package model

import (
	"context"
	"fmt"
	"time"

	"metermanager/logdb/pq"
	"metermanager/viewer/source"
)

// Week is the page of EN 50160.
type Week struct {
	State State
	Err   error
	Meter *Meter
	Day   time.Time // the Monday that it begins with, in the site's zone
	Rules string    // lv, mv, lv-island
	Data  *source.Week
}

// RulesNames are the sets of limits with their names for people.
var RulesNames = [][2]string{{"lv", "Low voltage"}, {"mv", "Medium voltage"}, {"lv-island", "Low voltage, island"}}

// NewWeek returns an empty page.
func NewWeek() *Week { return &Week{Rules: "lv"} }

// Choose sets the meter; the week becomes the last whole one before a time.
func (v *Week) Choose(m *Meter, now time.Time) {
	if v.Meter == m {
		return
	}
	v.Meter, v.Data = m, nil
	at := now
	if m.Last != 0 && m.Last.Time().Before(now) {
		at = m.Last.Time()
	}
	v.Day = Monday(at.In(m.Zone())).AddDate(0, 0, -7)
}

// Monday is the first moment of the week of a time.
func Monday(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day()-(int(t.Weekday())+6)%7, 0, 0, 0, 0, t.Location())
}

// Step goes to another week.
func (v *Week) Step(by int) { v.Day = v.Day.AddDate(0, 0, 7*by) }

// Title names the week.
func (v *Week) Title() string {
	year, week := v.Day.ISOWeek()
	return fmt.Sprintf("Week %d of %d · %s – %s", week, year, v.Day.Format("2 Jan"), v.Day.AddDate(0, 0, 6).Format("2 Jan 2006"))
}

// LoadWeek evaluates a week. It may run anywhere.
func LoadWeek(ctx context.Context, m *Meter, day time.Time, rules string) (*source.Week, error) {
	w, err := m.Source.Log.Week(ctx, m.UID, day, rules)
	if err != nil {
		return nil, err
	}
	return &w, nil
}

// Newest is the newest time that a meter has values of, for a source that does not tell.
func Newest(ctx context.Context, m *Meter) (time.Time, error) {
	list, err := m.Source.Log.Channels(ctx, m.UID)
	if err != nil {
		return time.Time{}, err
	}
	newest := m.Last
	for _, c := range list {
		newest = max(newest, c.Last)
	}
	return newest.Time(), nil
}

// Headline is the result in a sentence.
func (v *Week) Headline() string {
	if v.Data == nil {
		return ""
	}
	n := map[pq.Verdict]int{}
	for _, it := range v.Data.Items {
		n[it.Verdict]++
	}
	switch {
	case n[pq.Fail] > 0:
		return fmt.Sprintf("%d of %s outside of the limits; %d not measured.", n[pq.Fail], plural(len(v.Data.Items), "item"), n[pq.NotMeasured])
	case n[pq.Pass] == 0:
		return "Nothing can be said of this week: nothing that the standard asks for was measured long enough."
	}
	return fmt.Sprintf("All %d items that were measured long enough are within the limits; %d not measured, %d on too few data. That is no statement on the others.",
		n[pq.Pass], n[pq.NotMeasured], n[pq.Insufficient])
}
