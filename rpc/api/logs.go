package api

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"metermanager/logdb"
)

// UploadAnswer tells what became of a page: rows, events or recordings.
type UploadAnswer struct {
	Stored  int    `json:"stored" doc:"New here"`
	Repeats int    `json:"repeats" doc:"Decided here before"`
	Revised int    `json:"revised" doc:"Revises and withdraws that took effect"`
	Skipped int    `json:"skipped" doc:"Over this receiver's limits, or stated as skipped by the page"`
	Refused Fates  `json:"refused,omitempty" doc:"What this receiver's own limits skipped: [first, last, \"skipped\", reason, first time, last time]"`
	Receipt string `json:"receipt" doc:"SHA-256 of the body as it was read, in hex"`
	// Ignored counts members and columns that this receiver does not know.
	Ignored int `json:"ignored,omitempty" doc:"Unknown members that were passed over"`
}

// Fates is a list of fate ranges, each an array in documents:
// [first, last, "skipped", reason, t0, t1], [first, last, "reduced", into, t0, t1], and
// [first, last, word] for stored, not_chosen and held, where t0 and t1 may follow.
type Fates []logdb.FateRange

// MarshalJSON writes the arrays.
func (f Fates) MarshalJSON() ([]byte, error) { return appendFates(nil, f), nil }

// UnmarshalJSON reads the arrays, as strictly as an upload.
func (f *Fates) UnmarshalJSON(b []byte) error {
	out, err := parseFates(b)
	if err == nil {
		*f = out
	}
	return err
}

// StreamInfo is what a node holds of one stream: the set that a sender resumes from.
type StreamInfo struct {
	Stream     string         `json:"stream" doc:"Journal and policy, joined by a colon"`
	Own        bool           `json:"own,omitempty" doc:"This node's own journal"`
	Source     string         `json:"source,omitempty" doc:"Credential, for a journal made from pages without positions"`
	Fates      Fates          `json:"fates" doc:"Decided positions, each range an array [first, last, fate, ...]"`
	Highest    logdb.Position `json:"highest" doc:"Highest decided position"`
	JournalEnd logdb.Position `json:"journal_end" doc:"Highest end that any page stated"`
	Chain      logdb.Digest   `json:"chain" doc:"The sender's running hash there"`
	Ends       []StreamEnd    `json:"ends,omitempty" doc:"The last ends that pages stated, by which a sender finds that another machine writes under its journal id"`
	Created    logdb.Millis   `json:"created_ms"`
}

// StreamEnd is an end of a journal with the running hash there.
type StreamEnd struct {
	Position logdb.Position `json:"position"`
	Chain    logdb.Digest   `json:"chain"`
}

// State returns the stream as the log database knows it.
func (s StreamInfo) State() (logdb.StreamState, error) {
	id, err := logdb.ParseStream(s.Stream)
	if err != nil {
		return logdb.StreamState{}, fmt.Errorf("read stream id: %w", err)
	}
	out := logdb.StreamState{
		Stream: id, Own: s.Own, Source: s.Source, JournalEnd: s.JournalEnd, Chain: s.Chain, Created: s.Created,
	}
	for _, e := range s.Ends {
		out.Ends = append(out.Ends, logdb.End(e))
	}
	for _, r := range s.Fates {
		if out.Fates.Overlaps(r.First, r.Last) {
			return logdb.StreamState{}, fmt.Errorf("%w: fates of stream %s overlap", logdb.ErrInvalid, s.Stream)
		}
		out.Fates.Put(r)
	}
	return out, nil
}

// StreamInfoOf makes the document of a stream's state.
func StreamInfoOf(s logdb.StreamState) StreamInfo {
	out := StreamInfo{
		Stream: s.Stream.String(), Own: s.Own, Source: s.Source, Fates: Fates(s.Fates.Ranges()),
		Highest: s.Fates.Highest(), JournalEnd: s.JournalEnd, Chain: s.Chain, Created: s.Created,
	}
	for _, e := range s.Ends {
		out.Ends = append(out.Ends, StreamEnd(e))
	}
	return out
}

// StreamsAnswer lists the streams of a meter and kind.
type StreamsAnswer struct {
	MeterUID logdb.MeterUID `json:"meter_uid"`
	Kind     string         `json:"kind"`
	Streams  []StreamInfo   `json:"streams"`
	Next     string         `json:"next,omitempty" doc:"cursor of the next page"`
}

// MarksAnswer lists what is held of a journal in a range of positions.
type MarksAnswer struct {
	MeterUID logdb.MeterUID `json:"meter_uid"`
	Kind     string         `json:"kind"`
	Journal  string         `json:"journal"`
	Marks    []JournalMark  `json:"marks"`
}

// JournalMark tells what stands at a position.
type JournalMark struct {
	Position logdb.Position `json:"position"`
	Time     logdb.Millis   `json:"time_ms" doc:"Of a combined row the end of its interval, of a shortened recording the start of the whole one"`
	Sort     logdb.Digest   `json:"sort" doc:"32 hex digits of a hash of what it records, without values"`
}

// MarksAnswerOf makes the document of marks, in the order of their positions.
func MarksAnswerOf(meter logdb.MeterUID, kind logdb.Kind, journal logdb.JournalID, marks map[logdb.Position]logdb.Mark) MarksAnswer {
	out := MarksAnswer{MeterUID: meter, Kind: kind.String(), Journal: string(journal), Marks: []JournalMark{}}
	for _, p := range slices.Sorted(maps.Keys(marks)) {
		out.Marks = append(out.Marks, JournalMark{p, marks[p].Time, marks[p].Sort})
	}
	return out
}

// Tally is a count with its digest. The digest is 32 hex digits, since its two halves
// exceed what a JavaScript number holds.
type Tally logdb.Tally

type tallyDocument struct {
	Count int64  `json:"count"`
	Sum   string `json:"sum"`
}

// MarshalJSON writes {"count", "sum"}.
func (t Tally) MarshalJSON() ([]byte, error) {
	return json.Marshal(tallyDocument{t.Count, fmt.Sprintf("%016x%016x", t.Sum[0], t.Sum[1])})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (t *Tally) UnmarshalJSON(b []byte) error {
	var d tallyDocument
	if err := json.Unmarshal(b, &d); err != nil {
		return fmt.Errorf("read tally: %w", err)
	}
	var out Tally
	out.Count = d.Count
	if len(d.Sum) != 32 {
		return fmt.Errorf("%w: the sum of a tally has 32 hex digits", logdb.ErrInvalid)
	}
	for i := range out.Sum {
		half, err := strconv.ParseUint(d.Sum[16*i:16*i+16], 16, 64)
		if err != nil {
			return fmt.Errorf("%w: the sum of a tally has 32 hex digits", logdb.ErrInvalid)
		}
		out.Sum[i] = half
	}
	*t = out
	return nil
}

// DigestInfo is the tally of one UTC day of a stream.
type DigestInfo struct {
	Log     logdb.LogNo      `json:"log"`
	Channel logdb.ChannelKey `json:"chan_key,omitempty" doc:"Historical only"`
	Day     logdb.Millis     `json:"day_ms" doc:"Start of the UTC day"`
	Data    Tally            `json:"data" doc:"Computed from the data now"`
	Claim   Tally            `json:"claim" doc:"Kept apart, in step with every write"`
	Full    bool             `json:"full" doc:"The day is held at full resolution"`
	Lost    bool             `json:"lost,omitempty" doc:"It is not, because something of it was lost, and somebody has accepted that"`
}

// DigestsAnswer lists the digests of one stream.
type DigestsAnswer struct {
	MeterUID logdb.MeterUID `json:"meter_uid"`
	Kind     string         `json:"kind"`
	Stream   string         `json:"stream"`
	Days     []DigestInfo   `json:"days"`
	Next     string         `json:"next,omitempty" doc:"cursor of the next page"`
	// What the node holds of the stream that is not as it was written.
	Findings []logdb.Finding `json:"findings,omitempty" doc:"Records that are not as they were written"`
	More     int64           `json:"more,omitempty" doc:"Findings that are not listed"`
}

// Audit returns the answer as the log database knows it.
func (a DigestsAnswer) Audit() logdb.Audit {
	return logdb.Audit{Days: a.DayDigests(), Findings: a.Findings, More: a.More}
}

// DigestsAnswerOf makes the document of an audit.
func DigestsAnswerOf(meter logdb.MeterUID, kind logdb.Kind, stream logdb.StreamID, a logdb.Audit) DigestsAnswer {
	return DigestsAnswer{MeterUID: meter, Kind: kind.String(), Stream: stream.String(), Days: DigestInfosOf(a.Days), Findings: a.Findings, More: a.More}
}

// DigestInfosOf makes the documents of days.
func DigestInfosOf(days []logdb.DayDigest) []DigestInfo {
	out := make([]DigestInfo, len(days))
	for i, d := range days {
		out[i] = DigestInfo{d.Log, d.Channel, d.Day, Tally(d.Data), Tally(d.Claim), d.Full, d.Lost}
	}
	return out
}

// DayDigests returns the days as the log database knows them.
func (a DigestsAnswer) DayDigests() []logdb.DayDigest {
	out := make([]logdb.DayDigest, len(a.Days))
	for i, d := range a.Days {
		out[i] = logdb.DayDigest{
			Log: d.Log, Channel: d.Channel, Day: d.Day, Data: logdb.Tally(d.Data), Claim: logdb.Tally(d.Claim), Full: d.Full, Lost: d.Lost,
		}
	}
	return out
}

// ForgetRequest names a range of a stream to be removed so that it can be sent again.
type ForgetRequest struct {
	Stream string       `json:"stream" required:"true" doc:"Journal and policy, joined by a colon"`
	From   logdb.Millis `json:"from" required:"true" doc:"First time that is removed"`
	To     logdb.Millis `json:"to" required:"true" doc:"First time that is kept"`
}

// ForgetAnswer tells how many records were removed.
type ForgetAnswer struct {
	Removed int `json:"removed"`
}

// LimitCount is what limits did to one log of one stream on one UTC day.
type LimitCount struct {
	Kind    string       `json:"kind"`
	Stream  string       `json:"stream,omitempty"`
	Day     logdb.Millis `json:"day_ms"`
	Fate    string       `json:"fate" enum:"skipped,reduced"`
	By      string       `json:"by,omitempty" enum:"sender,receiver" doc:"Whose limit it was"`
	Reason  string       `json:"reason,omitempty"`
	Count   int          `json:"count"`
	FirstMS logdb.Millis `json:"first_ms"`
	LastMS  logdb.Millis `json:"last_ms"`
}

// LimitCountsAnswer lists counts of a range.
type LimitCountsAnswer struct {
	MeterUID logdb.MeterUID `json:"meter_uid"`
	Counts   []LimitCount   `json:"counts"`
	Next     string         `json:"next,omitempty" doc:"cursor of the next page"`
}

// LimitSummary stands in the answer of every query: Count over zero raises the warning mark.
type LimitSummary struct {
	Skipped int `json:"skipped"`
	Reduced int `json:"reduced"`
	// NotApplied counts corrections that came when the values that they correct had been let go: the answer does not have them.
	NotApplied int `json:"not_applied,omitempty"`
	// Lost counts archive files of the range that were lost: only sums and the times of rows are left of what was in them.
	Lost int `json:"lost,omitempty"`
}

// EventCount is the number of events of a kind on one UTC day.
type EventCount struct {
	Kind  string       `json:"kind"`
	Day   logdb.Millis `json:"day_ms"`
	Count int          `json:"count"`
}

// EventCountsAnswer lists counts of a range.
type EventCountsAnswer struct {
	MeterUID logdb.MeterUID `json:"meter_uid"`
	Counts   []EventCount   `json:"counts"`
	Next     string         `json:"next,omitempty" doc:"cursor of the next page"`
	// Alternatives are streams of other nodes about the same time, which are not added.
	Alternatives []string `json:"alternatives,omitempty" doc:"Streams of which something is not counted, since another node's journal has more events of that day"`
}
