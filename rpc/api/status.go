package api

import (
	"encoding/json"

	"metermanager/logdb"
)

// VersionAnswer names the program.
type VersionAnswer struct {
	Program string `json:"program"`
	Version string `json:"version"`
	Commit  string `json:"commit,omitempty"`
	Go      string `json:"go"`
	API     string `json:"api" doc:"Path of the newest version of the API"`
}

// HealthAnswer is the answer of /livez and /readyz.
type HealthAnswer struct {
	OK       bool     `json:"ok"`
	Problems []string `json:"problems,omitempty" doc:"What is missing, for people"`
}

// NodeStatus is the state of a node, for its page and the command line.
type NodeStatus struct {
	Version string        `json:"version"`
	Started logdb.Millis  `json:"started_ms"`
	Now     logdb.Millis  `json:"now_ms"`
	Data    string        `json:"data_folder,omitempty"`
	Disk    DiskStatus    `json:"disk"`
	Meters  []MeterStatus `json:"meters"`
	Next    string        `json:"next,omitempty" doc:"cursor of the next page of meters"`
	Sync    *SyncStatus   `json:"sync,omitempty"`
	// Retention is told to who runs the node.
	Retention *RetentionStatus `json:"retention,omitempty" doc:"Moving old data into the archive"`
	Warnings  []string         `json:"warnings,omitempty" doc:"What needs somebody's action"`
}

// DiskStatus says how much the data take and how much room is left.
type DiskStatus struct {
	UsedBytes int64  `json:"used_bytes"`
	FreeBytes int64  `json:"free_bytes,omitempty"`
	Level     string `json:"level,omitempty" doc:"ok, alarm (make room soon) or stop (nothing is taken in until there is room)"`
}

// The levels of a DiskStatus.
const (
	DiskOK    = "ok"
	DiskAlarm = "alarm"
	DiskStop  = "stop"
)

// MeterStatus is the state of one meter at this node.
type MeterStatus struct {
	UID        logdb.MeterUID `json:"meter_uid"`
	Name       string         `json:"name"`
	Serial     string         `json:"serial,omitempty"`
	Type       string         `json:"type,omitempty"`
	Profile    string         `json:"profile,omitempty"`
	Address    string         `json:"address,omitempty" doc:"Where it is read; empty for a meter that only uploads here"`
	Unit       int            `json:"unit,omitempty"`
	Zone       string         `json:"time_zone,omitempty"`
	State      string         `json:"state" doc:"idle, reading, retrieving, unreachable, paused, receiving"`
	LastOK     logdb.Millis   `json:"last_ok_ms,omitempty"`
	LastError  string         `json:"last_error,omitempty"`
	ErrorSince logdb.Millis   `json:"error_since_ms,omitempty"`
	Next       logdb.Millis   `json:"next_ms,omitempty" doc:"When retrieval is due"`
	Logs       []LogStatus    `json:"logs,omitempty"`
	Latest     *Realtime      `json:"latest,omitempty"`
	Cloud      *MeterSync     `json:"cloud,omitempty"`
	Clouds     []MeterSync    `json:"clouds,omitempty" doc:"Each cloud's side, where there are several"`
	SpaceBytes int64          `json:"space_bytes,omitempty" doc:"What its logs take in database and archive, as measured within the last hours; exactly: log.space"`
	OpenEvents int            `json:"open_events,omitempty" doc:"Events whose end has not come"`
	ClockDrift *int64         `json:"clock_drift_ms,omitempty" doc:"How far the meter's clock is ahead of this node's"`
	Doing      string         `json:"doing,omitempty" doc:"The log that is being retrieved"`
	Retrieval  []LogRetrieval `json:"retrieval,omitempty" doc:"How far each log of the meter's memory is retrieved"`
	Unverified []string       `json:"unverified,omitempty" doc:"What the profile took from inference, not from a document"`
	Trouble    *Trouble       `json:"trouble,omitempty" doc:"The last error of its retrieval, while it stands"`
}

// LogRetrieval is how far one log of a meter's own memory is retrieved.
type LogRetrieval struct {
	Log       string `json:"log" doc:"The profile's name of the log"`
	Read      int64  `json:"read" doc:"Records of the meter's memory that are stored here"`
	Held      int64  `json:"held" doc:"Records that the meter holds"`
	Capacity  int64  `json:"capacity,omitempty" doc:"Records that it can hold"`
	LastError string `json:"last_error,omitempty"`
}

// LogStatus is the state of one log of a meter.
type LogStatus struct {
	Kind       string         `json:"kind"`
	Log        logdb.LogNo    `json:"log"`
	Records    int64          `json:"records"`
	First      logdb.Millis   `json:"first_ms,omitempty"`
	Last       logdb.Millis   `json:"last_ms,omitempty"`
	JournalEnd logdb.Position `json:"journal_end,omitempty"`
	LastRead   logdb.Millis   `json:"last_read_ms,omitempty"`
	Note       string         `json:"note,omitempty"`

	AtMeter      *LogAtMeter   `json:"at_meter,omitempty" doc:"Absent for a meter without memory, and for one that others read"`
	LagMS        int64         `json:"lag_ms,omitempty" doc:"How much newer the meter's newest record is than the newest stored here"`
	Gaps         *Gaps         `json:"gaps,omitempty"`
	Skipped      int64         `json:"skipped,omitempty" doc:"Kept out here by this node's limits, or by the sender's"`
	Reduced      int64         `json:"reduced,omitempty" doc:"Combined into others by the sender"`
	Alternatives []Alternative `json:"alternatives,omitempty"`
	Conflicts    *Conflicts    `json:"conflicts,omitempty"`
	Clouds       []LogAtCloud  `json:"clouds,omitempty"`
	Trouble      *Trouble      `json:"trouble,omitempty"`
}

// SyncStatus is the state of the cloud sync.
type SyncStatus struct {
	Cloud       string       `json:"cloud,omitempty" doc:"Name of the cloud; the first one's where several are listed in clouds"`
	Enabled     bool         `json:"enabled"`
	Host        string       `json:"host,omitempty"`
	User        string       `json:"user,omitempty"`
	Customer    string       `json:"customer,omitempty"`
	State       string       `json:"state" doc:"off, idle, working, waiting"`
	Current     *SyncAction  `json:"current,omitempty" doc:"Absent when idle"`
	Queue       []SyncAction `json:"queue" doc:"Without the present one"`
	Succeeded   int          `json:"succeeded"`
	Failed      int          `json:"failed"`
	Skipped     int          `json:"skipped"`
	LastContact logdb.Millis `json:"last_contact_ms,omitempty"`
	LastError   string       `json:"last_error,omitempty"`
	NextTry     logdb.Millis `json:"next_try_ms,omitempty"`
	Pending     int64        `json:"pending" doc:"Records that the cloud has not decided, as far as both sides were compared"`
	NotCompared int64        `json:"not_compared,omitempty" doc:"Records in logs that were not compared with the cloud yet, as after a start"`
	Trouble     *Trouble     `json:"trouble,omitempty"`
	Meters      []MeterSync  `json:"meters,omitempty"`
	Clouds      []SyncStatus `json:"clouds,omitempty" doc:"Each of the clouds, where there are several"`
}

// CloudList is the answer of cloud.list and cloud.remove: the clouds without their meters.
type CloudList struct {
	Clouds []SyncStatus `json:"clouds"`
}

// MeterSync is the cloud's side of one meter.
type MeterSync struct {
	Cloud         string         `json:"cloud,omitempty" doc:"Name of the cloud"`
	UID           logdb.MeterUID `json:"meter_uid"`
	Name          string         `json:"name,omitempty"`
	CloudUID      logdb.MeterUID `json:"cloud_meter_uid,omitempty"`
	Enabled       bool           `json:"enabled"`
	UploadEnabled bool           `json:"upload_enabled"`
	State         string         `json:"state" doc:"not_registered, not_compared, waiting, uploading, up_to_date, parked, disabled"`
	Pending       int64          `json:"pending"`
	NotCompared   int64          `json:"not_compared,omitempty"`
	LastUpload    logdb.Millis   `json:"last_upload_ms,omitempty"`
	LastError     string         `json:"last_error,omitempty"`
	Trouble       *Trouble       `json:"trouble,omitempty" doc:"What keeps its records from the cloud: its own error, else the cloud's"`
	Logs          []LogSync      `json:"logs,omitempty"`
	Relayed       []RelaySync    `json:"relayed,omitempty" doc:"What others sent to this node and it passes on"`
}

// LogSync is how far one kind of log has come.
type LogSync struct {
	Kind       string         `json:"kind"`
	Stream     string         `json:"stream,omitempty"`
	JournalEnd logdb.Position `json:"journal_end"`
	Decided    int64          `json:"decided" doc:"Positions that the cloud has decided"`
	Pending    int64          `json:"pending"`
	Compared   bool           `json:"compared" doc:"False until both sides were compared: then decided and pending say nothing"`
	Skipped    int64          `json:"skipped,omitempty"`
	Reduced    int64          `json:"reduced,omitempty"`
}

// RelaySync is how far the received streams of one kind of log are passed on.
type RelaySync struct {
	Kind      string   `json:"kind"`
	Streams   int      `json:"streams"`
	Decided   int64    `json:"decided" doc:"Positions that the cloud has decided, of those decided here"`
	Pending   int64    `json:"pending"`
	Lacking   int64    `json:"lacking,omitempty" doc:"Positions that the cloud has not decided and whose data are not held here (any more)"`
	Skipped   int64    `json:"skipped,omitempty" doc:"Positions that are held here and that the cloud has skipped by its limits: it gets them when it asks for them"`
	Conflicts []string `json:"conflicts,omitempty" doc:"Streams that are left alone because the cloud holds something else under the same name"`
}

// The results of a SyncAction.
const (
	ResultSucceeded = "succeeded"
	ResultFailed    = "failed"
	ResultSkipped   = "skipped"
)

// SyncAction is one action of the cloud sync: queued, running, or in the history.
type SyncAction struct {
	Cloud      string            `json:"cloud,omitempty" doc:"Name of the cloud"`
	Action     string            `json:"action" doc:"upload, register, server_sync, refresh_scan"`
	Meter      logdb.MeterUID    `json:"meter_uid,omitempty"`
	Name       string            `json:"name,omitempty"`
	Parameters map[string]string `json:"parameters,omitempty"`
	Queued     logdb.Millis      `json:"queued_ms,omitempty"`
	Started    logdb.Millis      `json:"started_ms,omitempty"`
	DurationMS int64             `json:"duration_ms,omitempty"`
	Result     string            `json:"result,omitempty" doc:"succeeded, failed, skipped"`
	Detail     string            `json:"detail,omitempty"`
	Error      string            `json:"error,omitempty"`
}

// SyncHistory is the answer of cloud.sync.history, newest first.
type SyncHistory struct {
	Actions []SyncAction `json:"actions"`
}

// CommandAnswer wraps the result of an RPC command.
type CommandAnswer struct {
	Result json.RawMessage `json:"result"`
}

// VerifyReport compares what was recorded with what is held. Counts are records.
type VerifyReport struct {
	Clouds        []string    `json:"clouds" doc:"Clouds that were compared with; none: this node by itself"`
	Compared      int64       `json:"compared"`
	Pending       int64       `json:"pending" doc:"Not yet decided by the receiver"`
	Different     int64       `json:"different"`
	Skipped       int64       `json:"skipped" doc:"Kept out by limits, or reduced"`
	NotComparable int64       `json:"not_comparable" doc:"Outside a claim, with the reason"`
	Days          []VerifyDay `json:"days" doc:"Only those that differ, wait or cannot be compared"`
	At            int64       `json:"at_ms"`
}

// Add adds the report of another comparison.
func (r *VerifyReport) Add(o VerifyReport) {
	r.Clouds = append(r.Clouds, o.Clouds...)
	r.Compared += o.Compared
	r.Pending += o.Pending
	r.Different += o.Different
	r.Skipped += o.Skipped
	r.NotComparable += o.NotComparable
	r.Days = append(r.Days, o.Days...)
	r.At = max(r.At, o.At)
}

// Clean reports whether nothing differs and nothing is pending.
func (r VerifyReport) Clean() bool { return r.Different == 0 && r.Pending == 0 }

// VerifyDay is one day of one log where the two sides are not the same.
type VerifyDay struct {
	Meter     logdb.MeterUID   `json:"meter_uid"`
	Name      string           `json:"name,omitempty"`
	Cloud     string           `json:"cloud,omitempty" doc:"Name of the cloud, where there are several"`
	Between   string           `json:"between" doc:"meter-site, site-claim, site-cloud, cloud-claim"`
	Kind      string           `json:"kind"`
	Log       logdb.LogNo      `json:"log"`
	Channel   logdb.ChannelKey `json:"chan_key,omitempty"`
	Stream    string           `json:"stream,omitempty"`
	Day       logdb.Millis     `json:"day_ms"`
	State     string           `json:"state" enum:"pending,different,not_comparable"`
	Here      int64            `json:"here" doc:"Records on this side"`
	There     int64            `json:"there" doc:"Records on the other side"`
	Count     int64            `json:"count" doc:"Records concerned"`
	Reason    string           `json:"reason,omitempty"`
	Advice    string           `json:"advice,omitempty" doc:"What to do"`
	Positions Fates            `json:"positions,omitempty" doc:"Positions concerned, where they are known"`
	Records   []VerifyRecord   `json:"records,omitempty" doc:"The records concerned, where they are known: the first of them"`
	More      int64            `json:"more,omitempty" doc:"Records that are not listed"`
}

// VerifyRecord is one record that two sides do not hold alike.
type VerifyRecord struct {
	Place    logdb.Place      `json:"place" doc:"What it is: value, row, record, fate, hour tier, raw record ..."`
	Fault    logdb.Fault      `json:"fault" enum:"missing,altered,extra" doc:"missing here, altered, or extra here"`
	Position logdb.Position   `json:"position,omitempty"`
	Last     logdb.Position   `json:"last,omitempty" doc:"End of a range of positions"`
	Time     logdb.Millis     `json:"time_ms,omitempty"`
	Channel  logdb.ChannelKey `json:"chan_key,omitempty"`
	Count    int64            `json:"count,omitempty" doc:"Records that cannot be told apart"`
	Here     string           `json:"here,omitempty" doc:"What is held"`
	There    string           `json:"there,omitempty" doc:"What was written, or what the other side holds"`
}

// RetentionStatus is the state of moving old data into the archive.
type RetentionStatus struct {
	Running  bool           `json:"running"`
	Meter    logdb.MeterUID `json:"meter_uid,omitempty" doc:"That is being looked at"`
	Started  logdb.Millis   `json:"started_ms,omitempty" doc:"The last run"`
	Finished logdb.Millis   `json:"finished_ms,omitempty" doc:"The last run that came to its end"`
	Next     logdb.Millis   `json:"next_ms,omitempty"`
	Meters   int            `json:"meters" doc:"Looked at in the last run"`
	Moved    Moved          `json:"moved" doc:"Into the archive, in the last run"`
	Dropped  Moved          `json:"dropped" doc:"Out of the archive, in the last run"`
	Failed   int            `json:"failed" doc:"Meters, in the last run"`
	Errors   []string       `json:"errors,omitempty" doc:"The first of them"`
	Faults   []string       `json:"faults,omitempty" doc:"Archive files that are not as they were written"`
	Archive  []MeterArchive `json:"archive,omitempty"`
}

// Loss is what was lost with an archive file, and who has accepted that.
type Loss struct {
	File  string         `json:"file" doc:"Below the archive folder"`
	Meter logdb.MeterUID `json:"meter_uid"`
	Kind  string         `json:"kind"`
	Month string         `json:"month" doc:"In which its spans begin"`
	Lost  int64          `json:"lost" doc:"Values, or recordings whose samples are lost; 0: all could still be read, and is back in the database"`
	First logdb.Millis   `json:"first_ms,omitempty"`
	Last  logdb.Millis   `json:"last_ms,omitempty"`
	At    logdb.Millis   `json:"accepted_ms,omitempty"`
	By    string         `json:"by"`
	Why   string         `json:"why"`
}

// LossesAnswer lists accepted losses.
type LossesAnswer struct {
	Losses []Loss `json:"losses"`
}

// Moved counts what went into files, or away.
type Moved struct {
	Files  int   `json:"files"`
	Points int64 `json:"values"`
	Bytes  int64 `json:"bytes"`
}

// MeterArchive is what is in the archive of one log of a meter.
type MeterArchive struct {
	Meter  logdb.MeterUID `json:"meter_uid"`
	Kind   string         `json:"kind"`
	First  string         `json:"first_month"`
	Last   string         `json:"last_month"`
	Files  int            `json:"files"`
	Points int64          `json:"values"`
	Bytes  int64          `json:"bytes"`
}
