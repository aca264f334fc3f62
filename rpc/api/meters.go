package api

import (
	"encoding/json"
	"math"

	"metermanager/logdb"
)

// RegisterRequest registers a meter. Make and serial decide which meter it is.
type RegisterRequest struct {
	logdb.Settings
	Claim       string `json:"claim,omitempty" maxLength:"200" doc:"Claim code of a meter that waits for its customer"`
	CustomerKey string `json:"customer_key,omitempty" maxLength:"200" doc:"Associates the meter with that customer"`
	APIKey      string `json:"apikey,omitempty" maxLength:"200" doc:"Upload key, for senders that cannot set headers"`
}

// The values of RegisterAnswer.Registered.
const (
	RegisteredNew   = "new"
	RegisteredKnown = "known"
)

// RegisterAnswer tells under which UID a meter's data travel.
type RegisterAnswer struct {
	MeterUID   logdb.MeterUID `json:"meter_uid"`
	Registered string         `json:"registered" enum:"new,known"`
	APIKey     string         `json:"apikey,omitempty" doc:"The meter's own upload key, when it came without one; shown once"`
	ClaimCode  string         `json:"claim_code,omitempty" doc:"With the serial it lets a customer claim the meter; shown once"`
	Settings   logdb.Settings `json:"settings" doc:"As they are stored"`
	Started    logdb.Millis   `json:"node_started_ms,omitempty" doc:"When the program that answers was started: which of several that serve one name knows these settings"`
}

// Meter is a meter as lists show it.
type Meter struct {
	UID      logdb.MeterUID `json:"meter_uid"`
	Enabled  bool           `json:"enabled" doc:"The data of a meter that is not enabled cannot be read"`
	Readable bool           `json:"readable" doc:"Enabled, of a customer, and its licence is not over"`
	Expires  logdb.Millis   `json:"expires_ms,omitempty" doc:"When its licence is over; without it no date was set"`
	Customer string         `json:"customer,omitempty"`
	Facility string         `json:"facility_uid,omitempty" doc:"Where it is"`
	Created  logdb.Millis   `json:"created_ms,omitempty"`
	LastData logdb.Millis   `json:"last_data_ms,omitempty" doc:"Newest time of any record"`
	LastPush logdb.Millis   `json:"last_push_ms,omitempty" doc:"When data came last"`
	Settings logdb.Settings `json:"settings"`
}

// MetersAnswer lists the meters that the caller may see.
type MetersAnswer struct {
	Meters []Meter `json:"meters"`
	// Next is the cursor of the next page; "" at the last one.
	Next string `json:"next,omitempty"`
}

// ChannelInfo is one channel of one log in one stream, with its range.
type ChannelInfo struct {
	Key         logdb.ChannelKey `json:"chan_key"`
	Name        string           `json:"name"`
	Unit        string           `json:"unit"`
	Aggregation string           `json:"aggregation" enum:"mean,sum,max,min,last"`
	// CoversInterval is set when the time of a value is the end of the interval that it covers.
	CoversInterval bool         `json:"covers_interval,omitempty"`
	Log            logdb.LogNo  `json:"log"`
	Stream         string       `json:"stream,omitempty" doc:"Journal and policy, joined by a colon"`
	First          logdb.Millis `json:"first_ms"`
	Last           logdb.Millis `json:"last_ms"`
	Count          int64        `json:"count"`
	LastValue      Value        `json:"last_value"`
	Unverified     bool         `json:"unverified,omitempty" doc:"Its place or scale in the meter was inferred, not documented by the maker: it is not billed"`
	Shown          bool         `json:"shown" doc:"A query uses this stream when none is named"`
}

// ChannelsAnswer lists the channels of a meter.
type ChannelsAnswer struct {
	MeterUID logdb.MeterUID `json:"meter_uid"`
	Channels []ChannelInfo  `json:"channels"`
	Next     string         `json:"next,omitempty" doc:"cursor of the next page"`
}

// RealtimeValue is one present value.
type RealtimeValue struct {
	Key   logdb.ChannelKey `json:"chan_key"`
	Unit  string           `json:"unit,omitempty"`
	Value Value            `json:"value"`
}

// UnmarshalJSON reads a value. One that does not stand there is absent, as null is, never zero.
func (v *RealtimeValue) UnmarshalJSON(b []byte) error {
	type plain RealtimeValue
	read := plain{Value: Value(math.NaN())}
	if err := json.Unmarshal(b, &read); err != nil {
		return err
	}
	*v = RealtimeValue(read)
	return nil
}

// Realtime is the present values of a meter.
type Realtime struct {
	MeterUID logdb.MeterUID  `json:"meter_uid,omitempty"`
	Time     logdb.Millis    `json:"time_ms" doc:"When they were read from the meter"`
	Received logdb.Millis    `json:"received_ms,omitempty" doc:"When this node got them"`
	Stale    bool            `json:"stale,omitempty" doc:"Older than they should be"`
	Values   []RealtimeValue `json:"values" maxItems:"512"`
}
