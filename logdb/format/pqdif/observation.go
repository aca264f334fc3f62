package pqdif

import (
	"fmt"
	"math"
)

// Observation is one event, recording or piece of a trend: instances of the channels that its data
// source defines.
type Observation struct {
	Record int
	Offset int64
	Name   string
	Start  Timestamp // zero of relative times
	// Triggered is the moment of the trigger, when HasTrigger.
	Triggered  Timestamp
	HasTrigger bool
	// TriggerChannels are indices into Channels.
	TriggerChannels []int
	Disturbance     string // category of IEEE 1159; "" when the file says none
	NominalHz       float64
	Source          *Source
	Channels        []Channel

	reader *Reader
	rec    *record
}

// Channel is one instance of a channel in an observation.
type Channel struct {
	Defn *ChannelDefn
	// Group is the order of a harmonic, or another number that tells instances of one definition apart; -1 is none.
	Group int
	// MagnitudePercent of nominal, DurationSeconds and FrequencyHz characterise an event; NaN when absent.
	MagnitudePercent, DurationSeconds, FrequencyHz float64
	// Low and High are the thresholds of the channel's trigger; NaN when absent.
	Low, High float64
	Series    []Series

	factor, offset float64 // from the monitor settings
}

// Series is one instance of a series.
type Series struct {
	Defn *SeriesDefn
	Base float64 // what 1 per unit is; NaN when absent

	values               *element
	scale, offset        float64 // NaN when absent
	shareChan, shareSeri int     // -1 when not shared
}

var (
	observationTags = tags(tagObservationName, tagTimeStart, tagTriggerMethod, tagTimeTriggered, tagChannelTriggers, tagDisturbance, tagChannelInstances)
	instanceTags    = tags(tagChannelDefnIdx, tagMagnitude, tagDuration, tagEventFrequency, tagChannelGroupID, tagSeriesInstances)
	valuesTags      = tags(tagBaseQuantity, tagSeriesScale, tagSeriesOffset, tagShareChannel, tagShareSeries, tagSeriesValues)
)

func (r *Reader) observation(rec *record) (*Observation, error) {
	if r.Source == nil {
		return nil, fmt.Errorf("no data source stands before it")
	}
	t, err := r.table(rec, 0, "observation", observationTags)
	if err != nil {
		return nil, err
	}
	o := &Observation{Record: rec.index, Offset: rec.offset, Name: t.text(tagObservationName),
		Source: r.Source, NominalHz: r.settings.nominalHz, reader: r, rec: rec}
	var ok bool
	if o.Start, ok = t.timestamp(tagTimeStart); !ok {
		if e := t.find(tagTimeStart); e != nil {
			return nil, fmt.Errorf("observation %q: its start is %s instead of a time", o.Name, e.what())
		}
		return nil, fmt.Errorf("observation %q has no time of its start", o.Name)
	}
	o.Triggered, o.HasTrigger = t.timestamp(tagTimeTriggered)
	if g, ok := t.guid(tagDisturbance, "the disturbance category"); ok {
		o.Disturbance = nameOf(disturbances, g)
	}
	if e := t.find(tagChannelTriggers); e != nil {
		for i := 0; i < min(e.count, 1024); i++ {
			if v, ok := e.number(i); ok {
				o.TriggerChannels = append(o.TriggerChannels, int(v))
			}
		}
	}
	list, err := t.children(tagChannelInstances, tagOneChannelInst, "channel instance", instanceTags)
	if err != nil {
		return nil, err
	}
	for _, c := range list {
		ch, err := r.channel(o, c)
		if err != nil {
			return nil, err
		}
		o.Channels = append(o.Channels, ch)
	}
	return o, nil
}

// unknownDefn stands for the definition of a channel that the data source does not define.
var unknownDefn = ChannelDefn{Name: "undefined channel", Type: "undefined"}

func (r *Reader) channel(o *Observation, t *table) (Channel, error) {
	ch := Channel{Defn: &unknownDefn, Group: -1, Low: math.NaN(), High: math.NaN(), factor: 1,
		MagnitudePercent: t.number(tagMagnitude), DurationSeconds: t.number(tagDuration), FrequencyHz: t.number(tagEventFrequency)}
	index := t.uint(tagChannelDefnIdx, math.MaxUint32)
	if int64(index) < int64(len(o.Source.Channels)) {
		ch.Defn = &o.Source.Channels[index]
	} else {
		r.notes.add(t.rec.index, t.rec.offset, "channel instance: definition %d of %d", index, len(o.Source.Channels))
	}
	if g := t.number(tagChannelGroupID); g >= 0 && g <= math.MaxInt16 {
		ch.Group = int(g)
	}
	if set, ok := r.settings.channels[index]; ok {
		ch.factor, ch.offset, ch.Low, ch.High = set.factor, set.offset, set.low, set.high
	}
	list, err := t.children(tagSeriesInstances, tagOneSeriesInst, "series instance", valuesTags)
	if err != nil {
		return ch, err
	}
	for j, s := range list {
		if j >= len(ch.Defn.Series) {
			r.notes.add(t.rec.index, t.rec.offset, "channel %s: series %d is not defined", ch.Defn.Name, j)
			break
		}
		ch.Series = append(ch.Series, Series{Defn: &ch.Defn.Series[j], Base: s.number(tagBaseQuantity),
			values: s.find(tagSeriesValues), scale: s.number(tagSeriesScale), offset: s.number(tagSeriesOffset),
			shareChan: s.index(tagShareChannel), shareSeri: s.index(tagShareSeries)})
	}
	return ch, nil
}

// index returns a number that counts from 0, -1 when it is absent.
func (t *table) index(tag GUID) int {
	v := t.number(tag)
	if !(v >= 0 && v < math.MaxInt32) {
		return -1
	}
	return int(v)
}
