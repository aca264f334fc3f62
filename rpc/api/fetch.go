package api

import "metermanager/logdb"

// The states of a request for what was not sent.
const (
	FetchQueued   = "queued"    // no manager has seen it
	FetchTaken    = "taken"     // a manager is sending
	FetchDone     = "done"      // everything came that can come
	FetchFailed   = "failed"    // Reason says why
	FetchCanceled = "cancelled" // somebody took it back
)

// What can be asked for.
const (
	FetchSkipped = "skipped" // what limits skipped, at the manager or here, and what is held
	FetchReduced = "reduced" // the rows of combined ones
	FetchFull    = "full"    // recordings that were shortened, whole
)

// WaitingHeader stands in answers to a manager: how many requests for the meter wait for it.
const WaitingHeader = "X-Requests-Waiting"

// FetchOutside is why a manager does not send a position whose record lies outside of the range that was asked
// for: who asks knows only between which times a range of positions lies.
const FetchOutside = "outside of the range"

// FetchQuery asks the manager of a meter for what it did not send.
type FetchQuery struct {
	Kind string       `json:"kind" enum:"historical,waveform,system,limits,pq" doc:"Which log"`
	From logdb.Millis `json:"from_ms,omitempty" doc:"First time"`
	To   logdb.Millis `json:"to_ms,omitempty" doc:"First time behind the range; without it there is no end"`
	What []string     `json:"what,omitempty" enum:"skipped,reduced,full" doc:"What is wanted; skipped without it"`
	// Stream and Positions bound the request to some positions.
	Stream    string              `json:"stream,omitempty" doc:"Only of this stream: journal and policy, joined by a colon"`
	Positions [][2]logdb.Position `json:"positions,omitempty" doc:"Only these positions of the stream: [[first, last], ...]"`
}

// FetchWanted is what a request wants of one stream.
type FetchWanted struct {
	Stream    string `json:"stream"`
	Positions Fates  `json:"positions" doc:"As they stood when the request was made"`
}

// FetchCannot counts records that cannot be sent.
type FetchCannot struct {
	Reason string `json:"reason" maxLength:"200"`
	Count  int    `json:"count" minimum:"0"`
}

// FetchRequest is a request to the manager that keeps a journal. The cloud cannot call the manager: the request
// waits until that asks.
type FetchRequest struct {
	ID       string         `json:"id"`
	MeterUID logdb.MeterUID `json:"meter_uid"`
	Kind     string         `json:"kind"`
	Journal  string         `json:"journal" doc:"The journal whose manager can send it"`
	From     logdb.Millis   `json:"from_ms,omitempty"`
	To       logdb.Millis   `json:"to_ms,omitempty"`
	What     []string       `json:"what"`
	State    string         `json:"state" enum:"queued,taken,done,failed,cancelled"`
	Reason   string         `json:"reason,omitempty" doc:"Why it failed"`
	Wanted   int            `json:"wanted" doc:"Records that were not here when the request was made"`
	Came     int            `json:"came" doc:"How many of them are here now"`
	Cannot   []FetchCannot  `json:"cannot,omitempty" doc:"What the manager cannot send, and why"`
	By       string         `json:"by,omitempty" doc:"Who asked"`
	Created  logdb.Millis   `json:"created_ms"`
	Taken    logdb.Millis   `json:"taken_ms,omitempty"`
	Ended    logdb.Millis   `json:"ended_ms,omitempty"`
	// Streams is what is wanted, for the manager only.
	Streams []FetchWanted `json:"streams,omitempty" doc:"What is wanted, position by position; in the answer to a manager only"`
}

// Open reports whether a manager is to do something about the request.
func (r *FetchRequest) Open() bool { return r.State == FetchQueued || r.State == FetchTaken }

// FetchAnswer lists requests, newest first.
type FetchAnswer struct {
	Requests []FetchRequest `json:"requests"`
	Next     string         `json:"next,omitempty" doc:"Cursor of the next part"`
}

// FetchReport is what a manager says of a request.
type FetchReport struct {
	State  string        `json:"state" enum:"taken,done,failed"`
	Reason string        `json:"reason,omitempty" maxLength:"500"`
	Cannot []FetchCannot `json:"cannot,omitempty" maxItems:"100"`
}
