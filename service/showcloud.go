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
	fmt.Fprintf(p.stdout, "\n  records to upload  %s\n", toUpload(s.Pending, s.NotCompared))
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
	now := time.Now()
	p.trouble("", s.Trouble, time.Local, now)
	if len(s.Meters) == 0 {
		return nil
	}
	fmt.Fprintln(p.stdout)
	t := newTable("Meter", "Cloud UID", "State", ">To upload", "Last upload", "Note")
	const most = 10
	var below []api.MeterSync // their errors are told in whole sentences
	for _, m := range s.Meters {
		note := syncNote(m)
		switch {
		case m.Trouble == nil:
		case s.Trouble != nil && m.Trouble.Text == s.Trouble.Text:
			note = "see above"
		case len(below) < most:
			below = append(below, m)
			note = "see below"
		default:
			note = m.Trouble.Text
		}
		t.add(m.Name, string(m.CloudUID), strings.ReplaceAll(m.State, "_", " "), toUpload(m.Pending, m.NotCompared), clock(m.LastUpload.Floor(1000), time.Local), note)
	}
	if err := t.write(p.stdout); err != nil {
		return err
	}
	for _, m := range below {
		p.trouble(m.Name, m.Trouble, time.Local, now)
	}
	return nil
}

// toUpload is how many records the cloud lacks; what was not compared with it may be there already.
func toUpload(pending, notCompared int64) string {
	if notCompared > 0 {
		return "up to " + grouped(pending+notCompared)
	}
	return grouped(pending)
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
		t.add(c.Cloud, c.Host, c.State, toUpload(c.Pending, c.NotCompared), clock(c.LastContact.Floor(1000), time.Local), troubleNote(c.Trouble))
	}
	if err := t.write(p.stdout); err != nil {
		return err
	}
	for _, c := range l.Clouds {
		p.trouble(c.Cloud, c.Trouble, time.Local, time.Now())
	}
	return nil
}

func troubleNote(x *api.Trouble) string {
	if x == nil {
		return ""
	}
	return "see below"
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
