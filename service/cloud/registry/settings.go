package registry

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"metermanager/logdb"
	"metermanager/rpc/fault"
)

// identity returns the make and serial by which a meter is known: how a make is spelled
// does not matter, blanks around do not either.
func identity(s logdb.Settings) (manufacturer, serial string) {
	return strings.ToLower(strings.TrimSpace(s.Make)), strings.TrimSpace(s.Serial)
}

// newVersion draws the name of a version of settings: at random, so that none comes again after a backup is put back.
func newVersion() string { return strings.ToLower(rand.Text()[:13]) } // 65 bits

// firstVersion is that of settings that were stored without one.
const firstVersion = "0"

// content is settings without their version, to be compared.
func content(s logdb.Settings) (string, error) {
	s.Version = ""
	text, err := json.Marshal(s)
	if err != nil {
		return "", fmt.Errorf("write settings: %w", err)
	}
	return string(text), nil
}

// checkSettings returns s with its defaults, or the first rule that it breaks.
func checkSettings(s logdb.Settings) (logdb.Settings, error) {
	for _, text := range []struct {
		field, value string
		max          int
	}{
		{"name", s.Name, 200}, {"make", s.Make, 100}, {"type", s.Model, 100}, {"serial", s.Serial, 100},
		{"firmware", s.Firmware, 100}, {"profile", s.Profile, 100}, {"hookup", s.Hookup, 32}, {"time_zone", s.Zone, 64},
	} {
		if err := checkText(text.field, text.value, text.max); err != nil {
			return s, err
		}
	}
	if s.Zone == "" {
		s.Zone = "UTC"
	}
	if _, err := time.LoadLocation(s.Zone); err != nil || s.Zone == "Local" {
		return s, fault.New(fault.Invalid, "This is no time zone of the IANA database.").At("time_zone").WithHint("For example Europe/Berlin, America/New_York or UTC.")
	}
	for _, n := range []struct {
		field string
		value float64
	}{
		{"ct_primary_a", s.CTPrimary}, {"ct_secondary_a", s.CTSecondary}, {"pt_primary_v", s.PTPrimary}, {"pt_secondary_v", s.PTSecondary},
		{"voltage_full_scale_v", s.VoltageFullScale}, {"current_full_scale_a", s.CurrentFullScale},
		{"nominal_voltage_v", s.NominalVolts}, {"nominal_frequency_hz", s.NominalHz}, {"current_class", float64(s.CurrentClass)},
	} {
		if !(n.value >= 0 && n.value <= 1e12) || math.IsNaN(n.value) {
			return s, fault.New(fault.Invalid, "This must be a number from 0 to 1e12.").At(n.field)
		}
	}
	if e := s.Energy; e.Digits < 0 || e.Digits > 20 || e.Decimals < 0 || e.Decimals > 12 || e.Prefix < 0 || e.Prefix > 12 {
		return s, fault.New(fault.Invalid, "Digits, decimals or prefix are out of range.").At("energy_format")
	}
	if len(s.LogIntervalsMillis) > 64 {
		return s, fault.New(fault.Invalid, "At most 64 logs.").At("log_intervals_ms")
	}
	for _, ms := range s.LogIntervalsMillis {
		if ms < 0 || ms > 366*int64(logdb.DayMillis) {
			return s, fault.New(fault.Invalid, "An interval lies between 0 and a year.").At("log_intervals_ms")
		}
	}
	if len(s.Unverified) > 64 {
		return s, fault.New(fault.Invalid, "At most 64 marks.").At("unverified")
	}
	if len(s.UnverifiedChannels) > 512 {
		return s, fault.New(fault.Invalid, "At most 512 channels.").At("unverified_channels")
	}
	for _, key := range s.UnverifiedChannels {
		if k, err := logdb.NormalizeChannel(string(key)); err != nil || k != key {
			return s, fault.New(fault.Invalid, "A channel key has 2 to 8 parts, such as readings.voltage.an.").At("unverified_channels")
		}
	}
	for _, u := range s.Unverified {
		if err := checkText("unverified", u, 200); err != nil {
			return s, err
		}
	}
	return s, nil
}

func checkText(field, value string, max int) error {
	if len(value) > max {
		return fault.Newf(fault.Invalid, "At most %d bytes.", max).At(field)
	}
	if !utf8.ValidString(value) || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return fault.New(fault.Invalid, "Control characters and bytes that are no text are not taken.").At(field)
	}
	return nil
}
