package model

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"metermanager/logdb"
	"metermanager/viewer/chart"
	"metermanager/viewer/timeline"
)

// Choice is a line of the palette: something to do.
type Choice struct {
	Title, Hint string
	// One of these: the name of a command, what to look for, a meter to look at alone, a channel to put into the graph.
	Command string
	Search  *Search
	Meter   *Meter
	Channel *TrendChannel
}

// Command is what the window can do, by name.
type Command struct{ Name, Title, Key string }

// Search is a phrase such as "sags last week on feeder 3", understood.
type Search struct {
	Kinds    []logdb.Kind // empty: all
	Text     string
	Least    chart.Severity
	First    logdb.Millis // 0: as it is
	Last     logdb.Millis
	Meters   []*Meter // empty: as they are
	Sentence string   // what was understood
}

// mostChoices bounds the lines of the palette.
const mostChoices = 12

// Palette lists what a text may mean: a phrase about events first, then commands, meters and channels with its words.
func (s *Session) Palette(text string, commands []Command, channels []TrendChannel, now time.Time) (out []Choice) {
	words := strings.Fields(strings.ToLower(text))
	if found, ok := s.Phrase(text, now); ok {
		out = append(out, Choice{Title: found.Sentence, Hint: "events", Search: found})
	}
	has := func(title string) bool {
		title = strings.ToLower(title)
		return !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(title, w) })
	}
	for _, c := range commands {
		if has(c.Title) {
			out = append(out, Choice{Title: c.Title, Hint: c.Key, Command: c.Name})
		}
	}
	if len(words) == 0 {
		return out[:min(len(out), mostChoices)]
	}
	for _, m := range s.Meters() {
		if len(out) < mostChoices && has("meter "+m.Title()) {
			out = append(out, Choice{Title: m.Title(), Hint: "show this meter alone", Meter: m})
		}
	}
	for i := range channels {
		if c := &channels[i]; len(out) < mostChoices && has("channel "+c.Title(true)+" "+string(c.Channel.Key)) {
			out = append(out, Choice{Title: c.Title(true), Hint: "in the trend", Channel: c})
		}
	}
	return out[:min(len(out), mostChoices)]
}

// phraseWords are the words for events: which logs, which text, how severe.
var phraseWords = map[string]struct {
	kind  logdb.Kind
	text  string
	least chart.Severity
	name  string
}{
	"sag": {kind: logdb.KindPQ, text: "sag", name: "sags"}, "dip": {kind: logdb.KindPQ, text: "sag", name: "sags"},
	"swell": {kind: logdb.KindPQ, text: "swell", name: "swells"}, "interruption": {kind: logdb.KindPQ, text: "interruption", name: "interruptions"},
	"recording": {kind: logdb.KindWaveform, name: "recordings"}, "waveform": {kind: logdb.KindWaveform, name: "recordings"},
	"limit": {kind: logdb.KindLimit, name: "limit events"}, "system": {kind: logdb.KindSystem, name: "system events"},
	"alarm": {least: chart.Alarm, name: "alarms"}, "warning": {least: chart.Warning, name: "warnings and alarms"}, "event": {name: "events"},
}

// Phrase understands "[what] [when] [on METER]" by a fixed grammar: sags last week on feeder 3; alarms today; events last 6 hours. What it
// does not understand in full it leaves alone.
func (s *Session) Phrase(text string, now time.Time) (*Search, bool) {
	words := strings.Fields(strings.ToLower(text))
	out := &Search{}
	var names []string
	zone, _ := ZoneOf(s.Selected())
	when := ""
	for i := 0; i < len(words); {
		if words[i] == "and" || words[i] == "events" && i > 0 {
			i++
			continue
		}
		if w, ok := phraseWords[strings.TrimSuffix(words[i], "s")]; ok {
			if out.Text != "" && w.text != "" && w.text != out.Text { // the filter wants all of its words
				return nil, false
			}
			if w.kind != 0 && !slices.Contains(out.Kinds, w.kind) {
				out.Kinds = append(out.Kinds, w.kind)
			}
			if w.text != "" {
				out.Text = w.text
			}
			out.Least = max(out.Least, w.least)
			names = append(names, w.name)
			i++
			continue
		}
		if first, last, n, said := times(words[i:], now.In(zone)); n > 0 && when == "" {
			out.First, out.Last, when = logdb.MillisOf(first), logdb.MillisOf(last), said
			i += n
			continue
		}
		if words[i] != "on" && words[i] != "at" && words[i] != "of" || i+1 == len(words) {
			return nil, false
		}
		name := strings.Join(words[i+1:], " ")
		for _, m := range s.Meters() {
			if strings.Contains(strings.ToLower(m.Title()), name) {
				out.Meters = append(out.Meters, m)
			}
		}
		if len(out.Meters) == 0 {
			return nil, false
		}
		break
	}
	if len(names) == 0 && when == "" {
		return nil, false
	}
	if len(names) == 0 {
		names = []string{"events"}
	}
	out.Sentence = "Show " + strings.Join(names, " and ")
	if when != "" {
		out.Sentence += ", " + when
	}
	if len(out.Meters) > 0 {
		titles := make([]string, 0, 3)
		for _, m := range out.Meters[:min(3, len(out.Meters))] {
			titles = append(titles, m.Title())
		}
		out.Sentence += ", of " + strings.Join(titles, ", ")
		if n := len(out.Meters) - 3; n > 0 {
			out.Sentence += " and " + plural(n, "other")
		}
	}
	return out, true
}

// times reads a time at the begin of words: how many it takes, 0 when there is none. Days and weeks are those of the calendar.
func times(words []string, now time.Time) (first, last time.Time, n int, said string) {
	day := func(by int) time.Time {
		return time.Date(now.Year(), now.Month(), now.Day()+by, 0, 0, 0, 0, now.Location())
	}
	monday := Monday(now)
	two := words[0]
	if len(words) > 1 {
		two += " " + words[1]
	}
	switch {
	case words[0] == "today":
		return day(0), day(1), 1, "today"
	case words[0] == "yesterday":
		return day(-1), day(0), 1, "yesterday"
	case two == "this week":
		return monday, monday.AddDate(0, 0, 7), 2, two
	case two == "last week":
		return monday.AddDate(0, 0, -7), monday, 2, two
	case two == "this month":
		return day(1 - now.Day()), time.Date(now.Year(), now.Month()+1, 1, 0, 0, 0, 0, now.Location()), 2, two
	case two == "last month":
		return time.Date(now.Year(), now.Month()-1, 1, 0, 0, 0, 0, now.Location()), day(1 - now.Day()), 2, two
	}
	if words[0] != "last" || len(words) < 2 {
		return first, last, 0, ""
	}
	number, unit, n := words[1], "", 2
	if len(words) > 2 && strings.Trim(number, "0123456789") == "" {
		unit, n = words[2], 3
	} else {
		unit = strings.TrimLeft(number, "0123456789")
		number = strings.TrimSuffix(number, unit)
	}
	k, err := strconv.Atoi(number)
	if err != nil || k < 1 || k > 10_000 {
		return first, last, 0, ""
	}
	switch strings.TrimSuffix(unit, "s") {
	case "min", "minute":
		first = now.Add(-time.Duration(k) * time.Minute)
	case "h", "hour":
		first = now.Add(-time.Duration(k) * time.Hour)
	case "d", "day":
		first = now.AddDate(0, 0, -k)
	case "w", "week":
		first = now.AddDate(0, 0, -7*k)
	case "month":
		first = now.AddDate(0, -k, 0)
	default:
		return first, last, 0, ""
	}
	return first, now.Add(time.Millisecond), n, strings.Join(words[:n], " ")
}

// FilterOf is the filter of what was looked for.
func (s *Search) FilterOf() timeline.Filter {
	f := DefaultFilter()
	f.Text, f.Least = s.Text, s.Least
	if len(s.Kinds) > 0 {
		f.HiddenKinds = map[logdb.Kind]bool{}
		for _, k := range kindsOfEvents {
			if !slices.Contains(s.Kinds, k) {
				f.HiddenKinds[k] = true
			}
		}
	}
	return f
}
