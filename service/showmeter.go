package main

import (
	"cmp"
	"fmt"
	"math"
	"strings"
	"time"

	"metermanager/logdb"
	"metermanager/rpc/api"
	"metermanager/service/field/modbus"
	"metermanager/service/field/retrieve"
)

type meterList struct {
	Meters []api.MeterStatus `json:"meters"`
}

func (p *program) showMeters(l meterList) error {
	if len(l.Meters) == 0 {
		_, err := fmt.Fprintln(p.stdout, "No meters yet. Add one: metermanager meter add NAME tcp://HOST:PORT")
		return err
	}
	now := time.Now()
	t := newTable("Meter", "Serial", "Profile", "Address", ">Unit", "State", "Last answer", "Next", "UID", "Note")
	for _, m := range l.Meters {
		note := m.LastError
		if note == "" {
			note = unverified(m)
		}
		next := ""
		if m.Next > 0 {
			next = age(m.Next, now)
		}
		t.add(m.Name, m.Serial, m.Profile, m.Address, fmt.Sprint(m.Unit), m.State, age(m.LastOK, now), next, string(m.UID), note)
	}
	return t.write(p.stdout)
}

// addressText names the transport of an address also where it goes without saying.
func addressText(address string) string {
	if strings.Contains(address, "://") || strings.HasPrefix(address, "serial:") {
		return address
	}
	return "tcp://" + address
}

// unverified says how many registers of a meter were never compared with those of a real one.
func unverified(m api.MeterStatus) string {
	if len(m.Unverified) == 0 {
		return ""
	}
	return count(int64(len(m.Unverified)), "reading") + " unverified: see meter test"
}

func (p *program) showMeter(m api.MeterStatus) error {
	_, err := fmt.Fprintf(p.stdout, "%s: serial %s, profile %s, %s unit %d, %s, UID %s\n",
		m.Name, m.Serial, m.Profile, addressText(m.Address), m.Unit, m.State, m.UID)
	return err
}

// meterDetail is the answer of meter.show.
type meterDetail struct {
	api.MeterStatus
	Enabled  bool                   `json:"enabled"`
	Zone     string                 `json:"time_zone"`
	Memory   bool                   `json:"memory"`
	Limits   string                 `json:"limits"`
	DriftMS  *int64                 `json:"clock_drift_ms"`
	Places   []retrieve.LogState    `json:"retrieval"`
	Counters *modbus.Counters       `json:"modbus"`
	History  []retrieve.HistoryItem `json:"history"`
}

func (p *program) showMeterDetail(m meterDetail) error {
	zone := zoneOf(m.Zone)
	for _, line := range [][2]string{
		{"Name", m.Name}, {"Serial", m.Serial}, {"UID", string(m.UID)}, {"Profile", m.Profile},
		{"Address", fmt.Sprintf("%s unit %d", addressText(m.Address), m.Unit)}, {"Time zone", m.Zone}, {"State", m.State},
		{"Last answer", clock(m.LastOK.Floor(1000), zone)}, {"Next retrieval", clock(m.Next.Floor(1000), zone)}, {"Last error", m.LastError},
		{"Log memory", map[bool]string{true: "in the meter", false: "none: this service logs it"}[m.Memory]},
		{"Clock", driftText(m.DriftMS)}, {"Limits", m.Limits},
	} {
		if line[1] != "" {
			fmt.Fprintf(p.stdout, "%-15s %s\n", line[0], line[1])
		}
	}
	if c := m.Counters; c != nil {
		fmt.Fprintf(p.stdout, "%-15s %s, %s answered, %d timeouts, %d refused connections, %d foreign answers\n", "Modbus",
			count(c.Requests, "request"), grouped(c.OK), c.Timeouts, c.Unreachable, c.UnknownTransaction+c.UnknownUnit)
	}
	p.trouble("", m.Trouble, zone, time.Now())
	fmt.Fprintln(p.stdout)
	if err := p.showLogs(m.Logs, zone, time.Now()); err != nil {
		return err
	}
	if len(m.Places) > 0 {
		fmt.Fprintln(p.stdout)
		t := newTable("Log in the meter", ">Records there", ">Room", ">Stored here", "Last read", "Note")
		for _, l := range m.Places {
			t.add(l.Log, grouped(int64(l.Used)), grouped(int64(l.Max)), grouped(l.Records), clock(l.LastSuccess.Floor(1000), zone), l.LastError)
		}
		if err := t.write(p.stdout); err != nil {
			return err
		}
	}
	if err := p.retrievalTable(m.History, zone); err != nil {
		return err
	}
	if len(m.Unverified) > 0 {
		fmt.Fprintln(p.stdout, "\nUnverified (inferred, not documented by the maker):")
		for _, u := range m.Unverified {
			fmt.Fprintln(p.stdout, "  "+u)
		}
	}
	return nil
}

func driftText(ms *int64) string {
	switch {
	case ms == nil:
		return ""
	case *ms == 0:
		return "as this service's"
	case *ms > 0:
		return shortDuration(time.Duration(*ms)*time.Millisecond) + " ahead"
	}
	return shortDuration(time.Duration(-*ms)*time.Millisecond) + " behind"
}

func (p *program) retrievalTable(items []retrieve.HistoryItem, zone *time.Location) error {
	if len(items) == 0 {
		return nil
	}
	fmt.Fprintln(p.stdout)
	t := newTable("Retrieval", "By", ">Records", ">Took", "Error")
	for _, h := range items {
		t.add(clock(h.Start.Floor(1000), zone), h.Trigger, grouped(int64(h.Records)), shortDuration(time.Duration(h.Took)*time.Millisecond), h.Error)
	}
	return t.write(p.stdout)
}

type meterRetrieved struct {
	Retrievals []retrieve.HistoryItem `json:"retrievals"`
}

func (p *program) showRetrievals(r meterRetrieved) error {
	t := newTable("Meter", ">Records", ">Took", "Error")
	for _, h := range r.Retrievals {
		t.add(cmp.Or(h.Name, string(h.Meter)), grouped(int64(h.Records)), shortDuration(time.Duration(h.Took)*time.Millisecond), h.Error)
	}
	return t.write(p.stdout)
}

// meterRedecoded is the answer of meter.redecode.
type meterRedecoded struct {
	DryRun bool                 `json:"dry_run"`
	Logs   []retrieve.Redecoded `json:"logs"`
}

func (p *program) showRedecoded(r meterRedecoded) error {
	head := ">Changed"
	if r.DryRun {
		head = ">Would change"
	}
	t := newTable("Log", ">Records", head, ">Corrected by hand", ">Unreadable", ">Gaps moved", "Note")
	for _, l := range r.Logs {
		t.add(l.Log, grouped(l.Records), grouped(l.Changed), grouped(l.Corrected), grouped(l.Unreadable), grouped(l.Gaps), l.Note)
	}
	return t.write(p.stdout)
}

// meterRead is the answer of meter.read.
type meterRead struct {
	Time     logdb.Millis  `json:"time_ms"`
	Readings []testReading `json:"readings"`
}

func (p *program) showReadings(r meterRead) error {
	fmt.Fprintf(p.stdout, "Read at %s\n\n", clock(r.Time, time.Local))
	return p.readingTable(r.Readings)
}

func (p *program) showTested(a testAnswer) error {
	fmt.Fprintf(p.stdout, "%s %s, serial %s", a.Make, a.Type, firstOf(a.Serial, "not told"))
	if a.Firmware != "" {
		fmt.Fprintf(p.stdout, ", firmware %s", a.Firmware)
	}
	fmt.Fprintf(p.stdout, ", profile %s, answered in %d ms\n\n", a.Profile, a.TookMS)
	return p.readingTable(a.Readings)
}

func (p *program) readingTable(list []testReading) error {
	t := newTable("Reading", ">Value", "Unit", "Note")
	for _, x := range list {
		value, note := formatValue(float64(x.Value)), x.Reason
		if x.Text != "" {
			value = x.Text
		}
		if x.Unverified && !math.IsNaN(float64(x.Value)) {
			note = strings.TrimPrefix(note+"; unverified: not documented by the maker", "; ")
		}
		t.add(firstOf(string(x.Channel), x.Name), value, x.Unit, note)
	}
	return t.write(p.stdout)
}
