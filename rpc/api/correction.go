package api

import "metermanager/logdb"

// CorrectionRequest is one correction: new values, a withdrawal, or the return of a version.
type CorrectionRequest struct {
	Position logdb.Position             `json:"position,omitempty" doc:"Of the record in this node's own journal; rows may be named by time and log instead"`
	Stream   string                     `json:"stream,omitempty" maxLength:"64" doc:"Journal of the record, where this node numbers several: one for each source that posts without positions"`
	Log      logdb.LogNo                `json:"log,omitempty"`
	Time     logdb.Millis               `json:"time_ms,omitempty"`
	Values   map[logdb.ChannelKey]Value `json:"values,omitempty" doc:"Rows: new values; null takes a value out"`
	Withdraw bool                       `json:"withdraw,omitempty" doc:"Take the record out of every answer"`
	Restore  bool                       `json:"restore,omitempty" doc:"Bring back a version"`
	Version  logdb.Position             `json:"version,omitempty" doc:"Of the version to restore; without it the original"`
	Why      string                     `json:"why"`
}

// VersionsAnswer is the versions of a record, the original first, the newest last.
type VersionsAnswer struct {
	MeterUID logdb.MeterUID  `json:"meter_uid"`
	Kind     string          `json:"kind"`
	Versions []RecordVersion `json:"versions"`
	Next     string          `json:"next,omitempty" doc:"cursor of the next page"`
}

// RecordVersion is one of them.
type RecordVersion struct {
	Position logdb.Position             `json:"position"`
	Op       string                     `json:"op" enum:"add,revise,withdraw"`
	Live     bool                       `json:"live,omitempty"`
	Log      logdb.LogNo                `json:"log"`
	Time     logdb.Millis               `json:"time_ms"`
	Values   map[logdb.ChannelKey]Value `json:"values,omitempty"`
	Text     string                     `json:"text,omitempty" doc:"Events and recordings: what it says"`
	By       string                     `json:"by,omitempty"`
	At       logdb.Millis               `json:"at_ms,omitempty"`
	Why      string                     `json:"why,omitempty"`
}
