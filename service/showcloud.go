package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"metermanager/rpc/api"
)

// showSync prints the state of the cloud sync, cloud by cloud where there are several.
func (p *program) showSync(s api.SyncStatus) error {
	for i, one := range s.Clouds {
		if i > 0 {
			fmt.Fprintln(p.stdout)
		}
		if err := p.showOneSync(one, " with "+one.Cloud); err != nil {
			return err
		}
	}
	if len(s.Clouds) > 0 {
		return nil
	}
	return p.showOneSync(s, "")
}

func (p *program) showOneSync(s api.SyncStatus, which string) error {
	if !s.Enabled {
		fmt.Fprintf(p.stdout, "Cloud sync%s: off. Switch it on: metermanager cloud.enable USER PASS", which)
		if which != "" {
			fmt.Fprintf(p.stdout, " cloud=%s", s.Cloud)
		}
		_, err := fmt.Fprintln(p.stdout)
		return err
	}
	fmt.Fprintf(p.stdout, "Cloud sync%s: %s, %s", which, s.Host, s.State)
	if s.User != "" {
		fmt.Fprintf(p.stdout, ", user %s", s.User)
	}
	fmt.Fprintf(p.stdout, "\n  records to upload  %s\n", grouped(s.Pending))
	if s.Current != nil {
		fmt.Fprintf(p.stdout, "  now                %s\n", actionText(*s.Current))
	}
	fmt.Fprintf(p.stdout, "  queue              %d\n", len(s.Queue))
	for i, a := range s.Queue {
		if i == 10 {
			fmt.Fprintf(p.stdout, "                     ... and %d more\n", len(s.Queue)-i)
			break
		}
		fmt.Fprintf(p.stdout, "                     %s\n", actionText(a))
	}
	fmt.Fprintf(p.stdout, "  actions            %d succeeded, %d failed, %d skipped\n", s.Succeeded, s.Failed, s.Skipped)
	if s.LastContact > 0 {
		fmt.Fprintf(p.stdout, "  last contact       %s\n", clock(s.LastContact.Floor(1000), time.Local))
	}
	if s.LastError != "" {
		fmt.Fprintf(p.stdout, "  last error         %s\n", s.LastError)
	}
	if len(s.Meters) == 0 {
		return nil
	}
	fmt.Fprintln(p.stdout)
	t := newTable("Meter", "Cloud UID", "State", ">To upload", "Last upload", "Note")
	for _, m := range s.Meters {
		t.add(m.Name, string(m.CloudUID), strings.ReplaceAll(m.State, "_", " "), grouped(m.Pending), clock(m.LastUpload.Floor(1000), time.Local), syncNote(m))
	}
	return t.write(p.stdout)
}

// syncNote says what is the matter with a meter: an error, or what the cloud did not take of what others sent to this node.
func syncNote(m api.MeterSync) string {
	var skipped int64
	for _, r := range m.Relayed {
		skipped += r.Skipped
	}
	if m.LastError != "" || skipped == 0 {
		return m.LastError
	}
	return fmt.Sprintf("the cloud skipped %s records that are held here: fetch them there", grouped(skipped))
}

// showClouds prints the list of clouds.
func (p *program) showClouds(l api.CloudList) error {
	if len(l.Clouds) == 0 {
		_, err := fmt.Fprintln(p.stdout, "No cloud yet. Add one: metermanager cloud.add NAME HOST KEY")
		return err
	}
	t := newTable("Cloud", "Address", "State", ">To upload", "Last contact", "Note")
	for _, c := range l.Clouds {
		t.add(c.Cloud, c.Host, c.State, grouped(c.Pending), clock(c.LastContact.Floor(1000), time.Local), c.LastError)
	}
	return t.write(p.stdout)
}

func actionText(a api.SyncAction) string {
	name := strings.ReplaceAll(a.Action, "_", " ")
	if who := firstOf(a.Name, string(a.Meter)); who != "" {
		name += " " + who
	}
	return name
}

// showHistory prints the last actions of the cloud sync, newest first.
func (p *program) showHistory(h api.SyncHistory) error {
	several := slices.ContainsFunc(h.Actions, func(a api.SyncAction) bool { return a.Cloud != h.Actions[0].Cloud })
	t := newTable("Started", "Action", "Meter", "Result", ">Took", "Detail")
	for _, a := range h.Actions {
		if several {
			a.Action += " to " + a.Cloud
		}
		t.add(clock(a.Started.Floor(1000), time.Local), strings.ReplaceAll(a.Action, "_", " "), firstOf(a.Name, string(a.Meter)), a.Result,
			shortDuration(time.Duration(a.DurationMS)*time.Millisecond), firstOf(a.Error, a.Detail))
	}
	return t.write(p.stdout)
}
