package logdb

import (
	"slices"
	"strings"
)

// Settings are what is known of a meter: needed to read, show, reduce and upload
// its logs. Ratios and full scales are primary.
type Settings struct {
	UID MeterUID `json:"meter_uid,omitempty"`
	// Version is another one after each change that the node's registry stored: who names the one that he saw changes
	// nothing that somebody else has changed since. "" where it is not known, and where something else stored them.
	Version  string `json:"version,omitempty"`
	Name     string `json:"name"`
	Make     string `json:"make"`
	Model    string `json:"type"`
	Serial   string `json:"serial"`
	Firmware string `json:"firmware,omitempty"`
	Profile  string `json:"profile,omitempty"`
	// Zone is the IANA name of the zone in which the meter's clock and its site's days run.
	Zone string `json:"time_zone"`
	// Hookup is "wye", "delta-2ct" or "wye-2.5el"; "" when unknown.
	Hookup           string       `json:"hookup,omitempty"`
	CTPrimary        float64      `json:"ct_primary_a,omitempty"`
	CTSecondary      float64      `json:"ct_secondary_a,omitempty"`
	PTPrimary        float64      `json:"pt_primary_v,omitempty"`
	PTSecondary      float64      `json:"pt_secondary_v,omitempty"`
	VoltageFullScale float64      `json:"voltage_full_scale_v,omitempty"`
	CurrentFullScale float64      `json:"current_full_scale_a,omitempty"`
	NominalVolts     float64      `json:"nominal_voltage_v,omitempty"`
	NominalHz        float64      `json:"nominal_frequency_hz,omitempty"`
	CurrentClass     int          `json:"current_class,omitempty"`
	Energy           EnergyFormat `json:"energy_format"`
	// LogIntervalsMillis holds the interval of each historical log by its number, 0 when unknown.
	LogIntervalsMillis []int64 `json:"log_intervals_ms,omitempty"`
	// Unverified lists what the profile took from inference, not from a document.
	Unverified []string `json:"unverified,omitempty"`
	// UnverifiedChannels are the channels whose place or scale in the meter was inferred: see Verified.
	UnverifiedChannels []ChannelKey `json:"unverified_channels,omitempty"`
}

// Verified reports whether a channel's place and scale in the meter are known from a document of its maker. What is not verified is shown as such and
// must not be billed. Channels that only have the number of a register are unknown to the profile altogether.
func (s Settings) Verified(key ChannelKey) bool {
	for _, prefix := range [...]string{"register.", "line."} {
		if strings.HasPrefix(string(key), prefix) {
			return false
		}
	}
	return !slices.Contains(s.UnverifiedChannels, key)
}

// EnergyFormat says how the meter itself shows energy: digits, decimals and prefix.
type EnergyFormat struct {
	Digits   int `json:"digits,omitempty"`   // 5 to 8
	Decimals int `json:"decimals,omitempty"` // 0 to 6
	Prefix   int `json:"prefix,omitempty"`   // power of ten: 0, 3 or 6
}
