package sim

import "metermanager/logdb"

// eventName is a system event as this package thinks of it; its bytes are in the profile.
type eventName uint8

const (
	eventPowerLoss eventName = iota
	eventStartUp
	eventClock
	eventDSTOn
	eventDSTOff
	eventSettings
	eventDemandReset
	eventMaxMinReset
	eventEnergyReset
	eventLogReset
	eventLogRead
	eventLogReadEnd
	eventLogin
	eventPassword
)

// systemEvents says under which name the profile has an event, and what it means.
var systemEvents = [...]struct {
	profile string
	typ     logdb.SystemType
}{
	eventPowerLoss:   {"power_loss", logdb.SystemPowerLoss},
	eventStartUp:     {"start_up", logdb.SystemStartUp},
	eventClock:       {"clock_set", logdb.SystemTimeChanged},
	eventDSTOn:       {"dst_on", logdb.SystemTimeChanged},
	eventDSTOff:      {"dst_off", logdb.SystemTimeChanged},
	eventSettings:    {"settings_changed", logdb.SystemSettingsChange},
	eventDemandReset: {"demand_reset", logdb.SystemMaxMinReset},
	eventMaxMinReset: {"max_min_reset", logdb.SystemMaxMinReset},
	eventEnergyReset: {"energy_reset", logdb.SystemEnergyReset},
	eventLogReset:    {"log_reset", logdb.SystemLogReset},
	eventLogRead:     {"log_read_begin", logdb.SystemLogRetrieval},
	eventLogReadEnd:  {"log_read_end", logdb.SystemLogRetrieval},
	eventLogin:       {"password_request", logdb.SystemUserLogin},
	eventPassword:    {"password_changed", logdb.SystemUserConfig},
}
