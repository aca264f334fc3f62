package api

import "metermanager/logdb"

// CheckAnswer is the answer of node.check: the parts of a check, or what one part found.
type CheckAnswer struct {
	Parts    []string       `json:"parts,omitempty" doc:"All parts, when none was named"`
	Findings []CheckFinding `json:"findings" doc:"What is damaged; nothing when the part is sound"`
}

// CheckFinding is one thing that is damaged.
type CheckFinding struct {
	Place  string         `json:"place" doc:"File in the data folder"`
	Meter  logdb.MeterUID `json:"meter_uid,omitempty"`
	Kind   string         `json:"kind,omitempty"`
	Log    logdb.LogNo    `json:"log,omitempty"`
	Stream string         `json:"stream,omitempty"`
	Time   logdb.Millis   `json:"time_ms,omitempty"`
	Text   string         `json:"text"`
	Advice string         `json:"advice" doc:"What to do"`
}

// SpaceAnswer is the answer of log.space. The parts of a database add up to its file; what meters share is in other.
type SpaceAnswer struct {
	Meters       []MeterSpace `json:"meters"`
	LogsBytes    int64        `json:"logs_bytes,omitempty" doc:"The log database; for a system administrator, as all that follows"`
	FreeBytes    int64        `json:"free_bytes,omitempty" doc:"Of it free, and given back by log.vacuum"`
	OtherBytes   int64        `json:"other_bytes,omitempty" doc:"Of it used by no meter: schema, lists"`
	MetaBytes    int64        `json:"meta_bytes,omitempty" doc:"The database of meters, users and cloud sync"`
	ArchiveBytes int64        `json:"archive_bytes,omitempty" doc:"All archive files"`
}

// MeterSpace is what one meter takes.
type MeterSpace struct {
	Meter logdb.MeterUID `json:"meter_uid"`
	Name  string         `json:"name,omitempty"`
	Bytes int64          `json:"bytes" doc:"All of it"`
	Logs  []LogSpace     `json:"logs"`
}

// LogSpace is what one log of a meter takes: its share of the pages of each table, by the lengths of its rows.
type LogSpace struct {
	Kind    string `json:"kind"`
	Records int64  `json:"records" doc:"Bytes of values, events and recordings"`
	Tiers   int64  `json:"tiers,omitempty" doc:"Bytes of the hour and 15-minute tiers"`
	Raw     int64  `json:"raw,omitempty" doc:"Bytes of the meter's own records"`
	Account int64  `json:"account" doc:"Bytes of fates, claims and witnesses: what proves that nothing was lost"`
	Archive int64  `json:"archive,omitempty" doc:"Bytes of archive files"`
}

// Bytes is all that the log takes.
func (l LogSpace) Bytes() int64 { return l.Records + l.Tiers + l.Raw + l.Account + l.Archive }

// VacuumAnswer is the answer of log.vacuum: one bounded step.
type VacuumAnswer struct {
	GivenBack int64 `json:"given_back_bytes" doc:"By this step"`
	Free      int64 `json:"free_bytes" doc:"Still to be given back"`
}
