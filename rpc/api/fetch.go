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
	FetchSkipped = "skipped" // what limits skipped, at the manager or here, as it would have come, and what is held
	FetchReduced = "reduced" // the rows of combined ones
	FetchFull    = "full"    // recordings that were shortened, whole
)

// What a meter can be told that only calls out: it asks for its instructions, carries them out and reports. Each is a request of its own.
const (
	FetchPost     = "post"     // post the records of the range from its memory
	FetchSettings = "settings" // take settings
	FetchCommand  = "command"  // carry out a command
)

// WaitingHeader stands in answers to a manager: how many requests for the meter wait for it.
const WaitingHeader = "X-Requests-Waiting"

// FetchOutside is why a manager does not send a position whose record lies outside of the range that was asked
// for: who asks knows only between which times a range of positions lies.
const FetchOutside = "outside of the range"

// FetchQuery asks the manager of a meter for what it did not send.
type FetchQuery struct {
	Kind string       `json:"kind,omitempty" enum:"historical,waveform,system,limits,pq" doc:"Which log; not of settings and commands"`
	From logdb.Millis `json:"from_ms,omitempty" doc:"First time"`
	To   logdb.Millis `json:"to_ms,omitempty" doc:"First time behind the range; without it there is no end"`
	What []string     `json:"what,omitempty" enum:"skipped,reduced,full,post,settings,command" doc:"What is wanted; skipped without it. post, settings and command, alone, instruct a meter that calls in"`
	Instruction
	// Stream and Positions bound the request to some positions.
	Stream    string              `json:"stream,omitempty" doc:"Only of this stream: journal and policy, joined by a colon"`
	Positions [][2]logdb.Position `json:"positions,omitempty" doc:"Only these positions of the stream: [[first, last], ...]"`
}

// Instruction is what a meter is told beside a range.
type Instruction struct {
	IntervalSeconds int               `json:"interval_s,omitempty" minimum:"0" maximum:"86400" doc:"Of post: rows of the historical log at this interval; 0: all"`
	Set             map[string]string `json:"set,omitempty" doc:"Of settings: names and values as the meter knows them, at most 100"`
	Command         string            `json:"command,omitempty" maxLength:"100" doc:"Of command: its name as the meter knows it"`
	Args            map[string]string `json:"args,omitempty" doc:"Of command: names and values, at most 100"`
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
	Kind     string         `json:"kind,omitempty"`
	Journal  string         `json:"journal,omitempty" doc:"The journal whose manager can send it; of an instruction none"`
	From     logdb.Millis   `json:"from_ms,omitempty"`
	To       logdb.Millis   `json:"to_ms,omitempty"`
	What     []string       `json:"what"`
	Instruction
	State   string        `json:"state" enum:"queued,taken,done,failed,cancelled"`
	Reason  string        `json:"reason,omitempty" doc:"Why it failed"`
	Result  string        `json:"result,omitempty" doc:"What the meter says that it did"`
	Wanted  int           `json:"wanted" doc:"Records that were not here when the request was made"`
	Came    int           `json:"came" doc:"How many of them are here now"`
	Cannot  []FetchCannot `json:"cannot,omitempty" doc:"What the manager cannot send, and why"`
	By      string        `json:"by,omitempty" doc:"Who asked"`
	Created logdb.Millis  `json:"created_ms"`
	Taken   logdb.Millis  `json:"taken_ms,omitempty"`
	Ended   logdb.Millis  `json:"ended_ms,omitempty"`
	// Streams is what is wanted, for the manager only.
	Streams []FetchWanted `json:"streams,omitempty" doc:"What is wanted, position by position; in the answer to a manager only"`
}

// Open reports whether a manager is to do something about the request.
func (r *FetchRequest) Open() bool { return r.State == FetchQueued || r.State == FetchTaken }

// Instructs reports whether the request is for the meter itself and not for the manager of a journal.
func (r *FetchRequest) Instructs() bool { return r.Journal == "" }

// FetchAnswer lists requests, newest first.
type FetchAnswer struct {
	Requests []FetchRequest `json:"requests"`
	Next     string         `json:"next,omitempty" doc:"Cursor of the next part"`
}

// FetchReport is what a manager says of a request.
type FetchReport struct {
	State  string        `json:"state" enum:"taken,done,failed"`
	Reason string        `json:"reason,omitempty" maxLength:"500"`
	Result string        `json:"result,omitempty" maxLength:"500" doc:"Of an instruction: what was done"`
	Cannot []FetchCannot `json:"cannot,omitempty" maxItems:"100"`
}
