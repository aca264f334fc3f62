package main

import (
	"fmt"
	"slices"
	"strings"

	"metermanager/logdb"
	"metermanager/rpc/api"
)

// stateDifferent is the State of a day on which two sides differ.
const stateDifferent = "different"

// showVerify prints what a comparison found: the counts, what waits or cannot be compared by day, what differs record by
// record, and what to do about it.
func (p *program) showVerify(r api.VerifyReport) error {
	for _, line := range []struct {
		name, text string
		n          int64
	}{
		{"compared", "", r.Compared},
		{"pending", "not yet decided by the cloud", r.Pending},
		{"different", "", r.Different},
		{"skipped", "kept out by limits, or reduced, on purpose", r.Skipped},
		{"not comparable", "", r.NotComparable},
	} {
		text := line.text
		if text != "" && line.n > 0 {
			text = "  (" + text + ")"
		} else {
			text = ""
		}
		fmt.Fprintf(p.stdout, "%-15s %10s%s\n", line.name, grouped(line.n), text)
	}
	for _, show := range []func(api.VerifyReport) error{p.showApart, p.showDifferent} {
		if err := show(r); err != nil {
			return err
		}
	}
	verdict := "Clean: nothing differs and nothing is pending."
	switch {
	case r.Different > 0:
		verdict = "Records differ."
	case r.Pending > 0:
		verdict = "Nothing differs, but records wait for the cloud. Try again when they are uploaded."
	}
	if len(r.Clouds) == 0 {
		verdict += " No cloud was compared with: none is set and switched on."
	}
	_, err := fmt.Fprintln(p.stdout, "\n"+verdict)
	return err
}

func dayText(day logdb.Millis) string {
	if day <= 0 {
		return "all"
	}
	return day.Time().Format("2006-01-02")
}

// showApart lists what waits and what cannot be compared.
func (p *program) showApart(r api.VerifyReport) error {
	t := newTable("Day (UTC)", "Meter", "Between", "Log", "Channel", "State", ">Records", "Reason")
	several := severalClouds(r.Days)
	any := false
	for _, d := range r.Days {
		if d.State == stateDifferent {
			continue
		}
		any = true
		between := d.Between
		if several {
			between += " " + d.Cloud
		}
		t.add(dayText(d.Day), firstOf(d.Name, string(d.Meter)), between, fmt.Sprintf("%s %d", d.Kind, d.Log), string(d.Channel),
			strings.ReplaceAll(d.State, "_", " "), grouped(d.Count), d.Reason)
	}
	if !any {
		return nil
	}
	fmt.Fprintln(p.stdout)
	return t.write(p.stdout)
}

// showDifferent lists the records that differ, a line each, and what to do.
func (p *program) showDifferent(r api.VerifyReport) error {
	t := newTable("Day (UTC)", "Meter", "Log", "Position", "Time (UTC)", "Record", "What", "Where", "Held", "Other side")
	var todo []string
	for i := range r.Days {
		d := &r.Days[i]
		if d.State != stateDifferent {
			continue
		}
		add := func(position, at, record, what, here, there string) {
			t.add(dayText(d.Day), firstOf(d.Name, string(d.Meter)), fmt.Sprintf("%s %d", d.Kind, d.Log), position, at, record, what, whereText(d), here, there)
		}
		for _, x := range d.Records {
			what := faultText(d, x.Fault)
			if x.Count > 1 {
				what = fmt.Sprintf("%s records %s", grouped(x.Count), what)
			}
			add(positionText(x), timeText(x.Time), strings.TrimSpace(string(x.Place)+" "+string(x.Channel)), what, x.Here, x.There)
		}
		if len(d.Records) == 0 {
			add("", "", strings.TrimSpace("records "+string(d.Channel)), fmt.Sprintf("%s: %s", grouped(d.Count), d.Reason), grouped(d.Here), grouped(d.There))
		}
		if d.More > 0 {
			add("", "", fmt.Sprintf("and %s more", grouped(d.More)), "", "", "")
		}
		if text := fmt.Sprintf("%s: %s", capital(d.Reason), d.Advice); !slices.Contains(todo, text) {
			todo = append(todo, text)
		}
	}
	if len(todo) == 0 {
		return nil
	}
	fmt.Fprintln(p.stdout, "\nRecords that differ")
	if err := t.write(p.stdout); err != nil {
		return err
	}
	fmt.Fprintln(p.stdout, "\nWhat to do")
	for _, text := range todo {
		fmt.Fprintln(p.stdout, "- "+text+".")
	}
	return nil
}

func capital(s string) string {
	if s == "" {
		return "Records differ"
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

func positionText(x api.VerifyRecord) string {
	switch {
	case x.Position == 0:
		return ""
	case x.Last > x.Position:
		return fmt.Sprintf("%d-%d", x.Position, x.Last)
	}
	return fmt.Sprint(x.Position)
}

func timeText(at logdb.Millis) string {
	if at == 0 {
		return ""
	}
	return at.Time().Format("15:04:05.000")
}

// faultText says which side of a comparison has a record.
func faultText(d *api.VerifyDay, f logdb.Fault) string {
	switch {
	case d.Between != "site-cloud":
		return string(f)
	case f == logdb.FaultExtra:
		return "missing at the cloud"
	case f == logdb.FaultMissing:
		return "missing here"
	}
	return string(f)
}

// whereText says which node holds what differs.
func whereText(d *api.VerifyDay) string {
	switch d.Between {
	case "meter-site":
		return "meter and this node"
	case "site-claim":
		return "this node"
	case "cloud-claim":
		return strings.TrimSpace("the cloud " + d.Cloud)
	}
	return strings.TrimSpace("this node and the cloud " + d.Cloud)
}

// severalClouds reports whether the days are of more than one cloud.
func severalClouds(days []api.VerifyDay) bool {
	names := map[string]bool{}
	for _, d := range days {
		if d.Cloud != "" {
			names[d.Cloud] = true
		}
	}
	return len(names) > 1
}
