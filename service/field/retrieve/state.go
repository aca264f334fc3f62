package retrieve

import (
	"context"
	"encoding/json"
	"time"

	"metermanager/logdb"
	"metermanager/service/field/device"
)

// Meter is one line of the list of meters.
type Meter struct {
	UID     logdb.MeterUID `json:"meter_uid"`
	Name    string         `json:"name"`
	Address string         `json:"address"` // host:port
	Unit    byte           `json:"unit"`
	Profile string         `json:"profile"`
	Zone    string         `json:"time_zone"` // of the meter's clock, IANA
	Serial  string         `json:"serial"`
	Enabled bool           `json:"enabled"`
	// RetrieveSeconds is the time between two retrievals of the meter's logs, LiveSeconds
	// between two live readings, LogSeconds the interval of a log that the manager keeps.
	// 0 takes the manager's default.
	RetrieveSeconds int `json:"retrieve_s,omitempty"`
	LiveSeconds     int `json:"live_s,omitempty"`
	LogSeconds      int `json:"log_s,omitempty"`

	Added logdb.Millis `json:"added_ms"`

	// Limits are watched for a meter that keeps no limit log, in the form of poll.ParseLimits.
	Limits string `json:"limits,omitempty"`

	// Correction is for transformer ratios that the meter has wrong.
	CTFactor float64 `json:"ct_factor,omitempty"`
	PTFactor float64 `json:"pt_factor,omitempty"`
	// Decoded names the zone, profile and correction under which every stored record was decoded, of a meter without
	// memory how its counters are scaled in the newest generation. "" was noted by no program yet.
	Decoded string `json:"-"`
}

func (x *Meter) correction() device.Correction {
	return device.Correction{CT: x.CTFactor, PT: x.PTFactor}
}

// LogState is the resume point and the account of one log of one meter. What is new is
// decided by the stored records alone; the state says where to look first.
type LogState struct {
	Log         string       `json:"log"`
	Next        uint32       `json:"next"` // index behind the last stored record
	Used        uint32       `json:"used"`
	Max         uint32       `json:"max"`
	LastStamp   string       `json:"last_stamp,omitempty"` // the newest record's time as the meter has it
	SetsDST     bool         `json:"sets_dst,omitempty"`
	Records     int64        `json:"records"` // stored since the meter was added
	LastSuccess logdb.Millis `json:"last_success_ms,omitempty"`
	LastError   string       `json:"last_error,omitempty"`
	ErrorAt     logdb.Millis `json:"error_ms,omitempty"`
	Serial      string       `json:"serial,omitempty"` // of the meter whose memory that was

	Look Look `json:"-"` // not kept over a restart
	// Settled: the second of the newest record was over at the last retrieval. Of a full log neither the number of records nor the newest
	// one's time tells of a further event in it.
	Settled bool `json:"-"`
	// NoRepeat is when the meter refused function 0x23, or was silent to it for the last of several retrievals in a row (Silent);
	// it is not asked again for a day, or until a restart.
	NoRepeat logdb.Millis `json:"-"`
	Silent   int          `json:"-"`
}

// Look is what a log's status block showed when the meter was last asked.
type Look struct {
	At        logdb.Millis
	Used, Max uint32
	Last      string // time of the newest record as the meter has it, hexadecimal
}

// unchanged reports whether the status block shows nothing beyond what was stored. That of another meter may show the same: full
// memories are equally long, and logs of equal intervals have their newest records at equal times.
func (s *LogState) unchanged(x extent, serial string) bool {
	return s.Serial == serial && s.LastSuccess > 0 && s.LastError == "" && s.Next == x.Used && s.Used == x.Used && s.Max == x.Max && s.LastStamp == x.Last
}

// HistoryItem is one retrieval of a meter.
type HistoryItem struct {
	ID      int64          `json:"id"`
	Meter   logdb.MeterUID `json:"meter_uid"`
	Name    string         `json:"name,omitempty"` // of the meter, in an answer; not kept
	Start   logdb.Millis   `json:"start_ms"`
	Took    int64          `json:"took_ms"`
	Action  string         `json:"action"`  // "retrieve"
	Trigger string         `json:"trigger"` // "schedule" or "user"
	Records int            `json:"records"`
	Error   string         `json:"error,omitempty"`
}

// State is where the meter list, states and history survive restarts.
type State interface {
	Meters(ctx context.Context) ([]Meter, error)
	PutMeter(ctx context.Context, m Meter) error
	DeleteMeter(ctx context.Context, uid logdb.MeterUID) error
	LogStates(ctx context.Context, uid logdb.MeterUID) (map[string]LogState, error)
	PutLogState(ctx context.Context, uid logdb.MeterUID, s LogState) error
	AddHistory(ctx context.Context, h HistoryItem, keep int) error
	History(ctx context.Context, uid logdb.MeterUID, limit int) ([]HistoryItem, error)
}

// snapshot is the settings under which records were decoded, as it is kept with them.
type snapshot struct {
	Profile string `json:"profile"`
	Version string `json:"profile_version,omitempty"`
	Zone    string `json:"time_zone"`
	Serial  string `json:"serial"`
	// CT and PT are the ratio corrections; 0 is none.
	CT     float64           `json:"ct_factor,omitempty"`
	PT     float64           `json:"pt_factor,omitempty"`
	Blocks map[string]string `json:"blocks"` // name -> register bytes in hex
}

func (s snapshot) encode() ([]byte, error) { return json.Marshal(s) }

func parseSnapshot(b []byte) (snapshot, error) {
	var s snapshot
	err := json.Unmarshal(b, &s)
	return s, err
}

func seconds(n int, otherwise time.Duration) time.Duration {
	if n <= 0 {
		return otherwise
	}
	return time.Duration(n) * time.Second
}
