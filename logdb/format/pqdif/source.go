package pqdif

import "math"

// Source is a data source: a device or a program, and the channels that it defines.
type Source struct {
	Name, Serial, Version, Owner, Location, TimeZone string
	Channels                                         []ChannelDefn
}

// ChannelDefn defines a channel.
type ChannelDefn struct {
	Name     string
	Group    string
	Phase    string // "an", "ab", "ng", "total", ... or "" for none
	Type     string // sort of the channel: "waveform", "value log", "phasor", ...
	Measured string // "voltage", "current", "power", ...
	Series   []SeriesDefn
}

// SeriesDefn defines one of the series that make up a channel.
type SeriesDefn struct {
	Value          string // what the numbers are: "time", "val", "min", "max", "avg", ...
	Characteristic string // how they were computed: "rms", "instantaneous", "total thd", ...
	Unit           string // "s", "V", "%", ...
	Nominal        float64
	Storage        uint32
}

// The bits of a storage method.
const (
	storedScaled    = 2
	storedIncrement = 4
)

var (
	sourceTags = tags(tagSerialNumber, tagVersion, tagSourceName, tagOwner, tagLocation, tagTimeZone, tagChannelDefns)
	defnTags   = tags(tagChannelName, tagPhase, tagQuantityType, tagQuantityMeasured, tagGroupName, tagSeriesDefns)
	seriesTags = tags(tagQuantityUnits, tagValueType, tagCharacteristic, tagStorageMethod, tagNominalQuantity, tagValueTypeName)
)

func (r *Reader) source(rec *record) (*Source, error) {
	t, err := r.table(rec, 0, "data source", sourceTags)
	if err != nil {
		return nil, err
	}
	s := &Source{Name: t.text(tagSourceName), Serial: t.text(tagSerialNumber), Version: t.text(tagVersion),
		Owner: t.text(tagOwner), Location: t.text(tagLocation), TimeZone: t.text(tagTimeZone)}
	defns, err := t.children(tagChannelDefns, tagOneChannelDefn, "channel definition", defnTags)
	if err != nil {
		return nil, err
	}
	for _, d := range defns {
		c := ChannelDefn{Name: d.text(tagChannelName), Group: d.text(tagGroupName),
			Phase: phaseName(d.uint(tagPhase, 0)), Measured: measuredName(d.uint(tagQuantityMeasured, 0))}
		if g, ok := d.guid(tagQuantityType, "the quantity type"); ok {
			c.Type = nameOf(quantityTypes, g)
		}
		series, err := d.children(tagSeriesDefns, tagOneSeriesDefn, "series definition", seriesTags)
		if err != nil {
			return nil, err
		}
		for _, t := range series {
			c.Series = append(c.Series, seriesDefn(t))
		}
		s.Channels = append(s.Channels, c)
	}
	return s, nil
}

func seriesDefn(t *table) SeriesDefn {
	s := SeriesDefn{Unit: unitName(t.uint(tagQuantityUnits, 0)), Nominal: t.number(tagNominalQuantity),
		Storage: t.uint(tagStorageMethod, 1)}
	if g, ok := t.guid(tagValueType, "the value type"); ok {
		s.Value = nameOf(valueTypes, g)
	}
	if g, ok := t.guid(tagCharacteristic, "the characteristic"); ok {
		s.Characteristic = nameOf(characteristics, g)
	}
	return s
}

// settings are what a monitor settings record says that changes the numbers.
type settings struct {
	nominalHz float64
	channels  map[uint32]channelSetting
}

// channelSetting turns the stored numbers of a channel into those of the power system, and holds the
// thresholds of its triggers.
type channelSetting struct {
	factor, offset float64
	low, high      float64 // NaN when absent
}

var (
	settingsTags = tags(tagUseCalibration, tagUseTransducer, tagChannelSettings, tagNominalFrequency)
	settingTags  = tags(tagChannelDefnIdx, tagTriggerLow, tagTriggerHigh, tagSystemSideRatio, tagMonitorSideRatio, tagCalOffset, tagCalRatio)
)

func (r *Reader) monitorSettings(rec *record) (settings, error) {
	t, err := r.table(rec, 0, "monitor settings", settingsTags)
	if err != nil {
		return settings{}, err
	}
	s := settings{nominalHz: t.number(tagNominalFrequency), channels: map[uint32]channelSetting{}}
	transducer, calibration := t.uint(tagUseTransducer, 0) != 0, t.uint(tagUseCalibration, 0) != 0
	list, err := t.children(tagChannelSettings, tagOneSetting, "channel setting", settingTags)
	if err != nil {
		return settings{}, err
	}
	for _, c := range list {
		set := channelSetting{factor: 1, low: c.number(tagTriggerLow), high: c.number(tagTriggerHigh)}
		if system, monitor := c.number(tagSystemSideRatio), c.number(tagMonitorSideRatio); transducer && positive(system) && positive(monitor) {
			set.factor = system / monitor
		}
		if ratio := c.number(tagCalRatio); calibration && positive(ratio) {
			set.factor *= ratio
		}
		if offset := c.number(tagCalOffset); calibration && finite(offset) && offset != 0 {
			set.offset = offset
			r.notes.add(rec.index, rec.offset, "a calibration offset: added to the value times its ratio")
		}
		s.channels[c.uint(tagChannelDefnIdx, math.MaxUint32)] = set
	}
	return s, nil
}

func positive(v float64) bool { return v > 0 && finite(v) }

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
