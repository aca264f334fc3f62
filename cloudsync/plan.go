package cloudsync

import (
	"slices"
	"strings"
	"time"

	"metermanager/logdb"
)

// ActionKind is what an action does.
type ActionKind string

// The actions.
const (
	ActionRegister    ActionKind = "register"
	ActionUpload      ActionKind = "upload"
	ActionServerSync  ActionKind = "server_sync"
	ActionRefreshScan ActionKind = "refresh_scan"
	ActionFetch       ActionKind = "fetch"
)

// Action is an action that is wanted. Equal actions are one.
type Action struct {
	Kind        ActionKind
	Destination DestinationID
	Meter       logdb.MeterUID
}

// Cache is everything that is known, about one destination, of both sides. Each part
// carries the time at which it was true.
type Cache struct {
	Destination DestinationID
	Enabled     bool          // switched on, with an address and a credential
	Blocked     time.Time     // the cloud did not answer: nothing before this time
	SyncEvery   time.Duration // how old the cloud's configuration may be
	ScanEvery   time.Duration // how old the comparison of all sets may be
	Synced      time.Time     // server sync
	Scanned     time.Time     // refresh scan
	FetchEvery  time.Duration // how often the cloud is asked for requests; 0: never
	Fetched     time.Time     // when it was asked last
	FetchDue    time.Time     // it said that requests wait, or one is not finished; zero: neither
	Meters      map[logdb.MeterUID]*MeterCache
}

// MeterCache is the part of one meter.
type MeterCache struct {
	Config   MeterConfig
	Name     string
	Settings logdb.Digest // of the settings here
	Logs     map[logdb.Kind]*LogCache
	// After a failure: how many in a row, what the last one was, and when to try again.
	Failures   int
	Retry      time.Time
	LastError  string
	Advice     string // what somebody should do about LastError
	Since      time.Time
	LastUpload time.Time
	Tried      time.Time // the last failure: what the cloud refused for good is tried again after ScanEvery

	told  told
	relay relayState
}

// newMeterCache begins with nothing known: what others sent may be there already.
func newMeterCache(c MeterConfig) *MeterCache {
	return &MeterCache{Config: c, Logs: map[logdb.Kind]*LogCache{}, relay: relayState{dirty: true}}
}

// LogCache compares one log here and there.
type LogCache struct {
	// Here: renewed by log retrieval.
	Journal logdb.JournalID
	End     logdb.Position
	Seen    time.Time
	// There: renewed by an upload and by the refresh scan. Known is false before the first.
	Known        bool
	ThereJournal logdb.JournalID
	ThereEnd     logdb.Position // the journal's end when both sides were compared
	Missing      int64          // positions that the cloud has not decided
	Waiting      int64          // positions in intervals that are still open
	Skipped      int64
	Reduced      int64
	Decided      int64
	Oldest       logdb.Position // of the missing ones; 0: none
	Highest      logdb.Position // that the cloud has decided
	Stream       string
	Compared     time.Time
	Conflicts    int64          // pages that the cloud refused as contradictions
	NewestAt     logdb.Position // Newest is the time of what the cloud decided up to here
	Newest       logdb.Millis
	// More is set when an upload stopped to let others go first, or was answered by a receipt only: look again after Recheck.
	More     bool
	Draining bool // More is what has waited; the newest is there
	Recheck  time.Time
}

// behind reports whether the cloud may lack something of the log at time now.
func (l *LogCache) behind(now time.Time) bool {
	switch {
	case l.End == 0:
		return false
	case l.Draining && l.End != l.ThereEnd:
		return true // what is new does not wait for what is old
	case l.More:
		return !now.Before(l.Recheck)
	case !l.Known || l.Journal != l.ThereJournal || l.End != l.ThereEnd:
		return true
	}
	return l.Missing > 0
}

// unregistered reports whether the cloud must be told of the meter or its settings.
func (m *MeterCache) unregistered() bool {
	return m.Config.Enabled && (m.Config.CloudUID == "" || m.Config.Registered != m.Settings)
}

// fetchDue reports whether the cloud is to be asked for requests.
func (c *Cache) fetchDue(now time.Time) bool {
	if c.FetchEvery <= 0 {
		return false
	}
	return now.Sub(c.Fetched) >= c.FetchEvery || !c.FetchDue.IsZero() && !now.Before(c.FetchDue)
}

// plan returns what is wanted at time now, most urgent first. It is pure.
func plan(c *Cache, now time.Time) []Action {
	if !c.Enabled || now.Before(c.Blocked) {
		return nil
	}
	var first, out []Action
	add := func(list *[]Action, kind ActionKind, meter logdb.MeterUID) {
		*list = append(*list, Action{kind, c.Destination, meter})
	}
	if c.Synced.IsZero() || now.Sub(c.Synced) >= c.SyncEvery {
		add(&first, ActionServerSync, "")
	}
	if !c.Scanned.IsZero() && now.Sub(c.Scanned) >= c.ScanEvery {
		add(&first, ActionRefreshScan, "")
	}
	if c.fetchDue(now) {
		add(&first, ActionFetch, "")
	}
	for uid, m := range c.Meters {
		if now.Before(m.Retry) {
			continue
		}
		// Nothing is refused for ever: what the cloud took for invalid may have been damaged on its way.
		parked := m.Config.Parked != "" && now.Sub(m.Tried) < c.ScanEvery
		if m.unregistered() && !parked {
			add(&out, ActionRegister, uid)
		}
		// A meter without a UID is uploaded once it has one: the answer of the registration plans again.
		if !m.Config.UploadEnabled || !m.Config.Enabled || m.Config.CloudUID == "" || parked {
			continue
		}
		behind := m.relay.dirty && !now.Before(m.relay.recheck)
		for _, l := range m.Logs {
			behind = behind || l.behind(now)
		}
		if behind {
			add(&out, ActionUpload, uid)
		}
	}
	slices.SortFunc(out, func(a, b Action) int {
		if c := strings.Compare(string(a.Kind), string(b.Kind)); c != 0 {
			return c // registrations before uploads
		}
		return strings.Compare(string(a.Meter), string(b.Meter))
	})
	return append(first, out...)
}
