package api

import "metermanager/logdb"

// SkippedPart is what one stream does not carry, as the node that keeps the journal decided it for one cloud.
type SkippedPart struct {
	Cloud  string // name of the destination
	Stream logdb.StreamID
	Fates  logdb.FateSet // skipped, reduced and held only
}

// Skipped is one record, or one range of records, that is not here or was not sent.
type Skipped struct {
	Stream string         `json:"stream" doc:"Journal and policy, joined by a colon"`
	Cloud  string         `json:"cloud,omitempty" doc:"To which cloud it was not sent; empty for what did not come here"`
	First  logdb.Position `json:"first"`
	Last   logdb.Position `json:"last"`
	Count  int            `json:"count"`
	From   logdb.Millis   `json:"first_ms,omitempty" doc:"Time of the record, or of the earliest of them"`
	To     logdb.Millis   `json:"last_ms,omitempty" doc:"Time of the latest of them"`
	Fate   string         `json:"fate" enum:"skipped,reduced,held"`
	By     string         `json:"by,omitempty" enum:"sender,receiver" doc:"Whose limit it was"`
	Reason string         `json:"reason,omitempty" doc:"The limit: second, minute, hour, day, size ..."`
	Into   logdb.Position `json:"into,omitempty" doc:"Reduced: the position with whose record it travels"`
}

// SkippedQuery asks for what is not here, or was not sent.
type SkippedQuery struct {
	Kind     logdb.Kind
	From, To logdb.Millis // To 0: no end
	Limit    int
	Cursor   string
}

// SkippedAnswer lists what limits kept back. A node that keeps the journal lists every record with its time; of what
// others skipped only positions, the times of the first and last record of a range, and the reason are known.
type SkippedAnswer struct {
	MeterUID logdb.MeterUID `json:"meter_uid"`
	Kind     string         `json:"kind"`
	Skipped  []Skipped      `json:"skipped"`
	Next     string         `json:"next,omitempty" doc:"Cursor of the next part"`
}
