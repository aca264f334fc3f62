package api

import "metermanager/logdb"

// ProgramLog is the end of the program's own log.
type ProgramLog struct {
	Lines []string `json:"lines" doc:"Oldest first, at most 1,000"`
	Total int64    `json:"total" doc:"Lines since the start"`
}

// Trouble is an error for people: what did not work, what to do about it, and when the
// program tries again by itself.
type Trouble struct {
	Text  string       `json:"text"`
	Do    string       `json:"what_to_do,omitempty" doc:"What somebody should do, or that nothing needs to be done"`
	Since logdb.Millis `json:"since_ms,omitempty"`
	Next  logdb.Millis `json:"next_try_ms,omitempty"`
}

// LogAtMeter is what a meter's own memory held of a log when it was last looked at.
type LogAtMeter struct {
	Name     string       `json:"name" doc:"The profile's name of the log"`
	Looked   logdb.Millis `json:"looked_ms,omitempty" doc:"When the meter was last asked; what follows was true then"`
	Held     int64        `json:"held" doc:"Records in the meter's memory"`
	Capacity int64        `json:"capacity,omitempty" doc:"Records that it can hold"`
	Last     logdb.Millis `json:"last_ms,omitempty" doc:"Time of the newest record, by the meter's clock and zone"`
	Behind   int64        `json:"behind" doc:"Records there that are not stored here yet"`
}

// Gap is a time for which nothing could be recorded.
type Gap struct {
	From   logdb.Millis `json:"from_ms"`
	To     logdb.Millis `json:"to_ms"`
	Cause  string       `json:"cause"`
	Detail string       `json:"detail,omitempty"`
}

// Gaps are the gaps of a log.
type Gaps struct {
	Since  logdb.Millis `json:"since_ms" doc:"Older gaps are not counted here; the log itself has them"`
	Count  int64        `json:"count"`
	Newest []Gap        `json:"newest" doc:"Newest first, a few"`
}

// Alternative is another node's journal about the same log. It is never added to this one.
type Alternative struct {
	Stream  string         `json:"stream"`
	Source  string         `json:"source,omitempty" doc:"The key that posts it, when it comes without positions"`
	Records int64          `json:"records"`
	End     logdb.Position `json:"journal_end,omitempty"`
}

// Conflicts counts pages that were refused because they contradict what is stored.
type Conflicts struct {
	Count int64        `json:"count" doc:"Since the node was started"`
	Last  logdb.Millis `json:"last_ms,omitempty"`
	Text  string       `json:"text,omitempty"`
}

// The states of a LogAtCloud.
const (
	CloudOff           = "off"
	CloudNotRegistered = "not_registered"
	CloudNotCompared   = "not_compared"
	CloudUpToDate      = "up_to_date"
	CloudBehind        = "behind"
	CloudParked        = "parked"
)

// LogAtCloud is how far one cloud has come with a kind of log. The meter's own logs of one
// kind share a journal, so these counts are of all of them together.
type LogAtCloud struct {
	Cloud       string       `json:"cloud" doc:"Its name in the list of clouds"`
	Destination int64        `json:"destination"`
	Host        string       `json:"host,omitempty"`
	State       string       `json:"state" doc:"off, not_registered, not_compared, up_to_date, behind, parked"`
	Compared    logdb.Millis `json:"compared_ms,omitempty" doc:"When the cloud's set of positions was last compared with the journal here; counts are from then, with what was recorded since"`

	JournalEnd    logdb.Position `json:"journal_end"`
	Decided       int64          `json:"decided" doc:"Positions that the cloud has decided"`
	Pending       int64          `json:"pending" doc:"Positions that it has not; 0 while not_compared"`
	Waiting       int64          `json:"waiting,omitempty" doc:"Positions of intervals that are still open; they are sent when these are closed"`
	Skipped       int64          `json:"skipped,omitempty"`
	Reduced       int64          `json:"reduced,omitempty"`
	Last          logdb.Millis   `json:"last_ms,omitempty" doc:"Time of the newest record that the cloud has decided"`
	OldestPending logdb.Millis   `json:"oldest_pending_ms,omitempty" doc:"Time of the oldest record that it has not"`
	LagMS         int64          `json:"lag_ms" doc:"How old the oldest pending record is; 0 with nothing pending"`
	LastUpload    logdb.Millis   `json:"last_upload_ms,omitempty"`
	Conflicts     int64          `json:"conflicts,omitempty" doc:"Pages that the cloud refused as contradictions, since the node was started"`
	Trouble       *Trouble       `json:"trouble,omitempty"`
}
