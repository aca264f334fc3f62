package main

import (
	"fmt"
	"strings"
	"time"

	"metermanager/logdb"
	"metermanager/rpc/api"
)

// showMeterStatus prints how far each log of a meter has come.
func (p *program) showMeterStatus(m api.MeterStatus) error {
	zone, now := zoneOf(m.Zone), time.Now()
	fmt.Fprintf(p.stdout, "%s: %s", firstOf(m.Name, m.Serial, string(m.UID)), m.State)
	if m.Doing != "" {
		fmt.Fprintf(p.stdout, ", reading %s", m.Doing)
	}
	if m.Address != "" {
		fmt.Fprintf(p.stdout, ", last answer %s", age(m.LastOK, now))
	}
	if m.Next > 0 {
		fmt.Fprintf(p.stdout, ", next retrieval %s", age(max(m.Next, logdb.MillisOf(now)), now))
	}
	fmt.Fprintln(p.stdout)
	p.trouble("", m.Trouble, zone, now)
	fmt.Fprintln(p.stdout)
	return p.showLogs(m.Logs, zone, now)
}

// showLogs prints a line for each log, and for each cloud below it, then gaps and errors.
func (p *program) showLogs(logs []api.LogStatus, zone *time.Location, now time.Time) error {
	if len(logs) == 0 {
		_, err := fmt.Fprintln(p.stdout, "No logs yet.")
		return err
	}
	t := newTable("Log", "At", "Last record", ">Records", ">Behind", ">Lag", ">Skipped", "As of", "Note")
	for i := range logs {
		before := i > 0 && logs[i-1].Kind == logs[i].Kind
		after := i+1 < len(logs) && logs[i+1].Kind == logs[i].Kind
		logRows(t, &logs[i], before, after, zone, now)
	}
	if err := t.write(p.stdout); err != nil {
		return err
	}
	for _, l := range logs {
		name := logName(l)
		p.trouble(name, l.Trouble, zone, now)
		for _, c := range l.Clouds {
			if c.Trouble != nil && c.State != api.CloudUpToDate {
				p.trouble(name+" at "+c.Cloud, c.Trouble, zone, now)
			}
		}
		if c := l.Conflicts; c != nil && c.Count > 0 {
			fmt.Fprintf(p.stdout, "! %s: %s refused here as a contradiction since the start, the last %s: %s\n", name, count(c.Count, "page"), age(c.Last, now), c.Text)
		}
	}
	return p.gapTable(logs, zone)
}

func logName(l api.LogStatus) string {
	if l.Kind == logdb.KindHistorical.String() {
		return fmt.Sprintf("%s %d", l.Kind, l.Log)
	}
	return l.Kind
}

// logRows adds what the meter, this node and the clouds hold of a log. The clouds count by kind: their lines stand
// below the first log of a kind, say so when more of it follow, and are not repeated below those.
func logRows(t *table, l *api.LogStatus, before, after bool, zone *time.Location, now time.Time) {
	name := logName(*l)
	if m := l.AtMeter; m != nil {
		behind := ""
		if m.Behind > 0 {
			behind = grouped(m.Behind)
		}
		t.add(name, "meter", clock(m.Last.Floor(1000), zone), grouped(m.Held), behind, lagText(l.LagMS), "", age(m.Looked, now), "")
		name = ""
	}
	var notes []string
	if l.Gaps != nil {
		notes = append(notes, count(l.Gaps.Count, "gap")+" in 30 days")
	}
	if n := len(l.Alternatives); n > 0 {
		notes = append(notes, count(int64(n), "other journal"))
	}
	t.add(name, "here", clock(l.Last.Floor(1000), zone), grouped(l.Records), "", "", number(l.Skipped), "now", strings.Join(notes, ", "))
	if before {
		return
	}
	for _, c := range l.Clouds {
		behind, lag, as := grouped(c.Pending), lagText(c.LagMS), age(c.Compared, now)
		if c.State != api.CloudBehind && c.State != api.CloudUpToDate {
			behind, lag = "?", ""
		}
		if c.State == api.CloudNotCompared {
			as = "not yet compared"
		}
		note := strings.ReplaceAll(c.State, "_", " ")
		if after {
			note += ", counts all " + l.Kind + " logs"
		}
		if c.Reduced > 0 {
			note += ", " + grouped(c.Reduced) + " combined"
		}
		if c.Conflicts > 0 {
			note += ", " + count(c.Conflicts, "contradiction")
		}
		t.add("", "cloud "+c.Cloud, clock(c.Last.Floor(1000), zone), grouped(c.Decided), behind, lag, number(c.Skipped), as, note)
	}
}

func lagText(ms int64) string {
	if ms <= 0 {
		return ""
	}
	return shortDuration(time.Duration(ms) * time.Millisecond)
}

func number(n int64) string {
	if n == 0 {
		return ""
	}
	return grouped(n)
}

// trouble prints an error with what to do about it.
func (p *program) trouble(where string, x *api.Trouble, zone *time.Location, now time.Time) {
	if x == nil {
		return
	}
	if where != "" {
		where += ": "
	}
	fmt.Fprintf(p.stdout, "! %s%s", where, x.Text)
	if x.Since > 0 {
		fmt.Fprintf(p.stdout, " (since %s", clock(x.Since.Floor(1000), zone))
		if x.Next > 0 {
			fmt.Fprintf(p.stdout, ", tried again %s", age(max(x.Next, logdb.MillisOf(now)), now))
		}
		fmt.Fprint(p.stdout, ")")
	}
	fmt.Fprintln(p.stdout)
	if x.Do != "" {
		fmt.Fprintln(p.stdout, "  "+x.Do)
	}
}

func (p *program) gapTable(logs []api.LogStatus, zone *time.Location) error {
	t := newTable("Gap in", "From", "To", "Cause", "Detail")
	for _, l := range logs {
		if l.Gaps == nil {
			continue
		}
		for _, g := range l.Gaps.Newest {
			t.add(logName(l), clock(g.From.Floor(1000), zone), clock(g.To.Floor(1000), zone), g.Cause, g.Detail)
		}
		if more := l.Gaps.Count - int64(len(l.Gaps.Newest)); more > 0 {
			t.add(logName(l), "", "", fmt.Sprintf("and %s older", grouped(more)), "")
		}
	}
	if len(t.rows) == 0 {
		return nil
	}
	fmt.Fprintln(p.stdout)
	return t.write(p.stdout)
}

// troubled prints the errors of meters in the status of a node, a bounded number of them.
func (p *program) troubled(meters []api.MeterStatus, now time.Time) {
	const most = 10
	n := 0
	for _, m := range meters {
		name := firstOf(m.Name, m.Serial, string(m.UID))
		list := map[string]*api.Trouble{}
		order := []string{}
		note := func(where string, x *api.Trouble) {
			if x != nil && list[where] == nil && (m.Trouble == nil || x.Text != m.Trouble.Text) {
				list[where] = x
				order = append(order, where)
			}
		}
		if m.Trouble != nil {
			list[name] = m.Trouble
			order = append(order, name)
		}
		for _, l := range m.Logs {
			note(name+", "+logName(l), l.Trouble)
		}
		for _, where := range order {
			if n++; n <= most {
				p.trouble(where, list[where], zoneOf(m.Zone), now)
			}
		}
	}
	if n > most {
		fmt.Fprintf(p.stdout, "! ... and %d more\n", n-most)
	}
}
