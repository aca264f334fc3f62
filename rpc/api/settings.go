package api

import (
	"encoding/json"
	"fmt"

	"metermanager/logdb"
)

// SettingsDocument is what a sender sends to change the settings of a meter. A member that is not known, 0 or "", does not stand there: who
// receives it keeps what is stored. Lists stand there when they are empty, too, and the format of energy is whole.
func SettingsDocument(s logdb.Settings) ([]byte, error) {
	type energy struct {
		Digits   int `json:"digits"`
		Decimals int `json:"decimals"`
		Prefix   int `json:"prefix"`
	}
	doc := struct {
		logdb.Settings
		Energy             *energy            `json:"energy_format,omitempty"`
		Unverified         []string           `json:"unverified"`
		UnverifiedChannels []logdb.ChannelKey `json:"unverified_channels"`
	}{Settings: s, Unverified: append([]string{}, s.Unverified...), UnverifiedChannels: append([]logdb.ChannelKey{}, s.UnverifiedChannels...)}
	if s.Energy != (logdb.EnergyFormat{}) {
		doc.Energy = &energy{s.Energy.Digits, s.Energy.Decimals, s.Energy.Prefix}
	}
	body, err := json.Marshal(doc)
	if err != nil {
		return nil, fmt.Errorf("write settings: %w", err)
	}
	return body, nil
}
