package api

import (
	"metermanager/logdb"
)

// Discovered is a device that answered a scan for meters.
type Discovered struct {
	Address  string   `json:"address"`
	Unit     int      `json:"unit"`
	Profile  string   `json:"profile,omitempty"`  // of the meter, absent when none fits
	Profiles []string `json:"profiles,omitempty"` // where several fit: one must be chosen
	Make     string   `json:"make,omitempty"`
	Model    string   `json:"model,omitempty"`
	Name     string   `json:"name,omitempty"`
	Serial   string   `json:"serial,omitempty"`
	Firmware string   `json:"firmware,omitempty"`
	Listed   string   `json:"listed,omitempty"` // name of the meter of the list that stands there
	Note     string   `json:"note,omitempty"`
	TookMS   int64    `json:"took_ms"`
}

// Discovery is a scan for meters: the one under way, or the last one.
type Discovery struct {
	State     string       `json:"state"` // none, running, done, cancelled or failed
	Ranges    []string     `json:"ranges,omitempty"`
	Lines     []string     `json:"lines,omitempty"`
	By        string       `json:"by,omitempty"`
	Started   logdb.Millis `json:"started_ms,omitempty"`
	Ended     logdb.Millis `json:"ended_ms,omitempty"`
	AtMostMS  int64        `json:"at_most_ms,omitempty"` // how long it takes when nothing answers
	Addresses int          `json:"addresses"`            // to be tried
	Done      int          `json:"done"`                 // tried
	Open      int          `json:"open"`                 // at which something listens
	Asked     int          `json:"asked"`                // units
	Skipped   int          `json:"skipped"`              // addresses of meters of the list, which may take one connection only
	Error     string       `json:"error,omitempty"`
	Found     []Discovered `json:"found"`
}

// Register is one register of a meter, and what it means with those that follow it, by byte order. What does not stand there
// is absent.
type Register struct {
	Addr    int               `json:"addr"` // zero-based, as on the wire
	Hex     string            `json:"hex,omitempty"`
	Refused string            `json:"refused,omitempty"` // why it could not be read
	U16     *uint16           `json:"u16,omitempty"`
	S16     *int16            `json:"s16,omitempty"`
	Text    string            `json:"text,omitempty"`
	F32     map[string]Value  `json:"f32,omitempty"` // with the next register
	U32     map[string]uint32 `json:"u32,omitempty"`
	S32     map[string]int32  `json:"s32,omitempty"`
	F64     map[string]Value  `json:"f64,omitempty"` // with the next three
	U64     map[string]uint64 `json:"u64,omitempty"`
}

// Registers is what meter.registers answers.
type Registers struct {
	Meter     string     `json:"meter"`
	FC        int        `json:"fc"`
	Registers []Register `json:"registers"`
}

// LineHealth is how well a connection works and the meters on it.
type LineHealth struct {
	Address   string       `json:"address"`
	Connected bool         `json:"connected"`
	Next      logdb.Millis `json:"next_attempt_ms,omitempty"` // while it cannot be reached
	Waiting   int          `json:"waiting"`                   // requests in its queue
	Traffic   Traffic      `json:"traffic"`
	Units     []UnitHealth `json:"units"`
}

// UnitHealth is how well a meter answers.
type UnitHealth struct {
	UID         logdb.MeterUID `json:"meter_uid"`
	Name        string         `json:"name"`
	Unit        int            `json:"unit"`
	Profile     string         `json:"profile"`
	LastOK      logdb.Millis   `json:"last_ok_ms,omitempty"`
	SilentSince logdb.Millis   `json:"silent_since_ms,omitempty"` // while others at the address answer
	TimeoutMS   int64          `json:"timeout_ms"`
	EveryS      int            `json:"every_s,omitempty"` // the schedule: how often it is due, kept and missed
	Kept        int64          `json:"kept"`
	Missed      int64          `json:"missed"`
	Traffic     Traffic        `json:"traffic"`
	Finding     Finding        `json:"finding"`
}

// Traffic counts requests since the program started.
type Traffic struct {
	Requests    int64            `json:"requests"`
	OK          int64            `json:"ok"`
	Timeouts    int64            `json:"timeouts"`
	CRCErrors   int64            `json:"crc_errors"`
	Desyncs     int64            `json:"desyncs"`
	Foreign     int64            `json:"foreign"` // answers of other units or to other requests, and late ones
	Unreachable int64            `json:"unreachable"`
	Exceptions  map[string]int64 `json:"exceptions,omitempty"`
	Latencies   []LatencyClass   `json:"latencies"`
	MeanMS      float64          `json:"mean_ms"`
	MaxMS       float64          `json:"max_ms"`
	LastError   string           `json:"last_error,omitempty"`
	LastErrorAt logdb.Millis     `json:"last_error_ms,omitempty"`
}

// LatencyClass counts answers that took no longer than UpToMS and longer than the class before; 0: any longer time.
type LatencyClass struct {
	UpToMS int64 `json:"up_to_ms"`
	Count  int64 `json:"count"`
}

// Finding is what is wrong with a meter, in a sentence, and what to try.
type Finding struct {
	Fault string `json:"fault"` // none, unreachable, one_master, transport, unit, silent, gateway, line, mixed_up_answers, refused, off_by_one, word_order, profile, slow or busy
	Text  string `json:"text"`
	Try   string `json:"try,omitempty"`
}

// Doctor is what meter.doctor answers.
type Doctor struct {
	Lines []LineHealth `json:"lines"`
	// Examined is what asking the meter has shown.
	Examined *Finding `json:"examined,omitempty"`
}

// MeterProfile is a type of meters that a node knows.
type MeterProfile struct {
	ID         string   `json:"id"`
	Vendor     string   `json:"vendor"`
	Model      string   `json:"model"`
	Source     string   `json:"source" doc:"Where its facts are from"`
	Version    string   `json:"version" doc:"Changes with every change of the profile"`
	Readings   int      `json:"readings"`
	Memory     bool     `json:"keeps_logs" doc:"The meter keeps logs that are retrieved; of others the manager keeps one"`
	Unverified []string `json:"unverified" doc:"What was inferred and is printed in no document of the maker"`
}

// ProfileDraft is what meter.profile.draft answers.
type ProfileDraft struct {
	Profile string `json:"profile"` // the text of the profile, for meter.profile.put or a file
}
