package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"sort"
	"strings"
	"time"

	"metermanager/logdb"
	"metermanager/rpc/api"
)

// show prints the result of a command for people: in a form of its own where there is one,
// as names and values otherwise.
func (p *program) show(command string, result json.RawMessage) error {
	switch command {
	case api.CmdNodeStatus:
		return decodeAnd(result, p.showStatus)
	case api.CmdCloudSyncStatus:
		return decodeAnd(result, p.showSync)
	case api.CmdCloudList, api.CmdCloudRemove:
		return decodeAnd(result, p.showClouds)
	case api.CmdCloudSyncHistory:
		return decodeAnd(result, p.showHistory)
	case api.CmdMeterStatus:
		return decodeAnd(result, p.showMeterStatus)
	case api.CmdVerify:
		return decodeAnd(result, p.showVerify)
	case api.CmdMeterList:
		return decodeAnd(result, p.showMeters)
	case api.CmdMeterAdd, api.CmdMeterSet:
		return decodeAnd(result, p.showMeter)
	case api.CmdMeterShow:
		return decodeAnd(result, p.showMeterDetail)
	case api.CmdMeterTest:
		return decodeAnd(result, p.showTested)
	case api.CmdMeterRead:
		return decodeAnd(result, p.showReadings)
	case api.CmdMeterRetrieve:
		return decodeAnd(result, p.showRetrievals)
	case api.CmdMeterDiscover, api.CmdMeterDiscovered, api.CmdMeterDiscoverStop:
		return decodeAnd(result, p.showDiscovery)
	case api.CmdMeterRegisters:
		return decodeAnd(result, p.showRegisters)
	case api.CmdMeterProfiles:
		return decodeAnd(result, p.showProfiles)
	case api.CmdMeterProfilePut:
		return decodeAnd(result, p.showProfileAdded)
	case api.CmdMeterProfileDraft:
		return decodeAnd(result, p.showDraft)
	case api.CmdMeterDoctor:
		return decodeAnd(result, p.showDoctor)
	case api.CmdMeterRedecode:
		return decodeAnd(result, p.showRedecoded)
	}
	return p.showAny(result)
}

func decodeAnd[T any](result json.RawMessage, show func(T) error) error {
	var v T
	if err := json.Unmarshal(result, &v); err != nil {
		return fmt.Errorf("read the service's answer: %w", err)
	}
	return show(v)
}

// showStatus prints the state of a node.
func (p *program) showStatus(s api.NodeStatus) error {
	now := s.Now.Time()
	fmt.Fprintf(p.stdout, "Meter Manager %s, started %s", s.Version, age(s.Started, now))
	if s.Disk.UsedBytes > 0 {
		fmt.Fprintf(p.stdout, ", %s of data", bytesText(s.Disk.UsedBytes))
	}
	if s.Disk.FreeBytes > 0 {
		fmt.Fprintf(p.stdout, ", %s free", bytesText(s.Disk.FreeBytes))
	}
	if s.Data != "" {
		fmt.Fprintf(p.stdout, "\nData folder: %s", s.Data)
	}
	fmt.Fprint(p.stdout, "\n\n")
	if len(s.Meters) == 0 {
		fmt.Fprintln(p.stdout, "No meters yet. Add one: metermanager meter add NAME tcp://HOST:PORT")
	} else if err := p.meterTable(s.Meters, now); err != nil {
		return err
	}
	p.troubled(s.Meters, now)
	for _, w := range s.Warnings {
		fmt.Fprintln(p.stdout, "! "+w)
	}
	if s.Sync == nil {
		return nil
	}
	fmt.Fprintln(p.stdout)
	return p.showSync(*s.Sync)
}

func (p *program) meterTable(meters []api.MeterStatus, now time.Time) error {
	t := newTable("Meter", "Address", "State", "Last answer", "Next", ">Records", ">To upload", "Note")
	for _, m := range meters {
		var records int64
		for _, l := range m.Logs {
			records += l.Records
		}
		note := firstOf(m.LastError, unverified(m))
		if m.Trouble != nil {
			note = "see below" // in whole sentences, with what to do
		}
		waiting := ""
		if m.Cloud != nil && m.Cloud.UploadEnabled {
			waiting = toUpload(m.Cloud.Pending, m.Cloud.NotCompared)
		}
		if len(m.Clouds) > 0 {
			waiting = ""
		}
		for _, c := range m.Clouds { // each of them, in the order of the list of clouds
			if c.UploadEnabled {
				waiting = strings.TrimPrefix(waiting+" / "+toUpload(c.Pending, c.NotCompared), " / ")
			}
		}
		answered, next := age(m.LastOK, now), ""
		if m.Address == "" { // it sends by itself, or its manager does
			answered = ""
		}
		if m.Next > 0 {
			next = age(max(m.Next, logdb.MillisOf(now)), now) // one that is due is under way
		}
		t.add(m.Name, m.Address, m.State, answered, next, grouped(records), waiting, note)
	}
	return t.write(p.stdout)
}

// showAny prints any document: lists of objects as tables, the rest as names and values.
func (p *program) showAny(result json.RawMessage) error {
	d := json.NewDecoder(bytes.NewReader(result))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return fmt.Errorf("read the service's answer: %w", err)
	}
	if v == nil {
		_, err := fmt.Fprintln(p.stdout, "Done.")
		return err
	}
	return p.tree("", v)
}

func (p *program) tree(indent string, v any) error {
	switch v := v.(type) {
	case map[string]any:
		names := make([]string, 0, len(v))
		width := 0
		for name := range v {
			names = append(names, name)
			width = max(width, len(name))
		}
		sort.Strings(names)
		for _, name := range names {
			if isLeaf(v[name]) {
				fmt.Fprintf(p.stdout, "%s%-*s  %s\n", indent, width, name, leafText(name, v[name]))
				continue
			}
			fmt.Fprintf(p.stdout, "%s%s\n", indent, name)
			if err := p.tree(indent+"  ", v[name]); err != nil {
				return err
			}
		}
	case []any:
		for i, item := range v {
			if isLeaf(item) {
				fmt.Fprintf(p.stdout, "%s%s\n", indent, leafText("", item))
				continue
			}
			if i > 0 {
				fmt.Fprintln(p.stdout)
			}
			if err := p.tree(indent, item); err != nil {
				return err
			}
		}
	default:
		fmt.Fprintf(p.stdout, "%s%s\n", indent, leafText("", v))
	}
	return nil
}

func isLeaf(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		return len(v) == 0
	case []any:
		return len(v) == 0
	}
	return true
}

// leafText prints a value; a name that ends in _ms is a time.
func leafText(name string, v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case json.Number:
		if ms, err := v.Int64(); err == nil && strings.HasSuffix(name, "_ms") && ms > 1e11 {
			return clock(logdb.Millis(ms), time.Local)
		}
		return v.String()
	case map[string]any, []any:
		return "none"
	}
	return fmt.Sprint(v)
}

func firstOf(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}
