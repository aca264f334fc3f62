package api

import (
	"encoding/json"
	"math"
	"slices"

	"metermanager/logdb"
)

// Corrected marks the records of an answer that are not as they were first recorded: corrected or withdrawn by somebody,
// or decoded again.
type Corrected struct {
	Count   int               `json:"count" doc:"How many records were changed in the range"`
	Records []CorrectedRecord `json:"records" doc:"The first of them in order of time"`
}

// MaxCorrected bounds the records that an answer lists as corrected.
const MaxCorrected = 200

// From returns the time of the first of them.
func (c Corrected) From() logdb.Millis {
	if len(c.Records) == 0 {
		return 0
	}
	return c.Records[0].Time
}

// First returns the id of the first of them.
func (c Corrected) First() string {
	if len(c.Records) == 0 {
		return ""
	}
	return c.Records[0].ID
}

// CorrectedRecord is one record that was changed.
type CorrectedRecord struct {
	Time      logdb.Millis     `json:"time_ms"`
	ID        string           `json:"id" doc:"position@journal:policy; its versions tell all"`
	Op        string           `json:"op" enum:"revise,withdraw"`
	By        string           `json:"by,omitempty"`
	At        logdb.Millis     `json:"at_ms,omitempty"`
	Why       string           `json:"why,omitempty"`
	Originals []CorrectedValue `json:"originals,omitempty" doc:"What was first recorded, of the channels that differ; null: nothing was"`
}

// CorrectedRecordOf makes the mark of a record by its versions; false when it is again, or still, what was first recorded in
// the channels that shown says.
func CorrectedRecordOf(stream logdb.StreamID, versions []logdb.Entry, shown func(logdb.ChannelKey) bool) (CorrectedRecord, bool) {
	first, live := &versions[0], &versions[len(versions)-1]
	out := CorrectedRecord{
		Time: live.Time, ID: RecordingID{live.Target, stream}.String(), Op: live.Op.String(), By: live.By, At: live.At, Why: live.Why,
	}
	if first.Op != logdb.OpAdd || first.Row == nil { // the original has not come yet
		return out, live.Target != 0
	}
	was, is := valuesOf(first.Row), valuesOf(live.Row)
	for _, key := range append(slices.Clone(first.Row.Channels), missing(is, was)...) {
		old, had := was[key]
		now, has := is[key]
		if !shown(key) || had == has && math.Float64bits(old) == math.Float64bits(now) {
			continue
		}
		if !had {
			old = math.NaN()
		}
		out.Originals = append(out.Originals, CorrectedValue{key, Value(old)})
	}
	return out, len(out.Originals) > 0 || first.Time != live.Time
}

func valuesOf(row *logdb.Row) map[logdb.ChannelKey]float64 {
	out := map[logdb.ChannelKey]float64{}
	if row != nil {
		for i, c := range row.Channels {
			out[c] = row.Values[i]
		}
	}
	return out
}

// missing returns the keys of a that b lacks, sorted.
func missing(a, b map[logdb.ChannelKey]float64) []logdb.ChannelKey {
	var out []logdb.ChannelKey
	for key := range a {
		if _, ok := b[key]; !ok {
			out = append(out, key)
		}
	}
	slices.Sort(out)
	return out
}

// document reads one value into v as an ordinary JSON document.
func (p *pageScan) document(v any) {
	p.peek()
	from := p.i
	p.skip()
	if p.err != nil {
		return
	}
	if err := json.Unmarshal(p.b[from:p.i], v); err != nil {
		p.shape(from, "this part of the answer cannot be read")
	}
}

// CorrectedValue is a value of a record.
type CorrectedValue struct {
	Key   logdb.ChannelKey `json:"chan_key"`
	Value Value            `json:"value"`
}
