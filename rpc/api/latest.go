package api

import "metermanager/logdb"

// LatestAnswer is the newest recorded value of each channel of many meters.
type LatestAnswer struct {
	Meters []LatestMeter `json:"meters"`
	Next   string        `json:"next,omitempty" doc:"cursor of the next page"`
}

// LatestMeter is the newest values of one meter.
type LatestMeter struct {
	MeterUID logdb.MeterUID `json:"meter_uid"`
	Name     string         `json:"name,omitempty"`
	Values   []LatestValue  `json:"values"`
}

// LatestValue is the newest value of a channel, of whatever log and journal it came by.
type LatestValue struct {
	Key   logdb.ChannelKey `json:"chan_key"`
	Time  logdb.Millis     `json:"time_ms"`
	Value Value            `json:"value"`
}
