package logdb

// SystemType is the sort of a system event. The numbers are on the wire.
type SystemType int64

// The system event types. 1 and 2 agree with the printed upload example.
const (
	SystemPowerLoss      SystemType = 1
	SystemSettingsChange SystemType = 2
	SystemReset          SystemType = 3
	SystemTimeChanged    SystemType = 4
	SystemFirmware       SystemType = 5
	SystemLogReset       SystemType = 6
	SystemEnergyReset    SystemType = 7
	SystemMaxMinReset    SystemType = 8
	SystemUserLogin      SystemType = 9
	SystemUserConfig     SystemType = 10
	SystemError          SystemType = 11
	SystemLogRetrieval   SystemType = 12 // never uploaded
	SystemStartUp        SystemType = 13
	SystemPowerUp        SystemType = 14
	SystemOther          SystemType = 99 // the meter's own code, unknown to its profile
)

var systemTypeNames = map[SystemType]string{
	SystemPowerLoss: "power loss", SystemSettingsChange: "settings change", SystemReset: "device reset",
	SystemTimeChanged: "time changed", SystemFirmware: "firmware changed", SystemLogReset: "log reset",
	SystemEnergyReset: "energy reset", SystemMaxMinReset: "max/min reset", SystemUserLogin: "user login",
	SystemUserConfig: "user configuration change", SystemError: "error", SystemLogRetrieval: "log retrieval",
	SystemStartUp: "start up", SystemPowerUp: "power up", SystemOther: "other",
}

// String names the type for people; an unknown number is "other".
func (t SystemType) String() string {
	if s, ok := systemTypeNames[t]; ok {
		return s
	}
	return "other"
}

// SystemEvent is something that affected the meter's operation. Many may share one time.
type SystemEvent struct {
	Type        SystemType
	Code        int64
	Description string
}

// Excursion is a limit or PQ event: a quantity that left its limits.
type Excursion struct {
	// DurationSeconds is NaN (null on the wire) when no end was seen, or when the meter's clock was set back between start
	// and end; then the entry says why.
	DurationSeconds float64
	Channel         ChannelKey
	LimitID         int64 // limit events only
	// Type is 0 below (limits) or sag (PQ), 1 above or surge.
	Type int64
	// Worst is the worst value, primary; WorstPercent is percent of full scale
	// (100 = full scale). NaN when the meter did not say.
	Worst        float64
	WorstPercent float64
	Threshold    float64
}

// The values of Excursion.Type.
const (
	ExcursionBelow int64 = 0 // below; sag
	ExcursionAbove int64 = 1 // above; surge
)

// Waveform is one capture. Sample i of every channel was taken
// i * SampleIntervalMillis after StartMillis.
type Waveform struct {
	End Millis
	// SampleIntervalMillis is the distance of samples; a double, since 256 samples a
	// 60 Hz cycle are 0.0651 ms apart.
	SampleIntervalMillis float64
	TriggerTime          Millis
	FrequencyHz          float64
	RMS                  []NamedValue  // of the triggering cycle, in the order given
	Triggers             []string      // e.g. "Van=Sag_start"
	Channels             []WaveChannel // analogue, primary V and A
	Digital              []byte        // per sample, bit i is input i; nil when not recorded
	// Source describes the full recording when this is a shortened or downsampled one.
	Source *WaveSource
}

// NamedValue is a value with the name that the recording gives it.
type NamedValue struct {
	Name  string
	Value float64
}

// WaveChannel is the samples of one channel ("Van_Vab", "Ia", ...), primary.
type WaveChannel struct {
	Name    string
	Samples []float64
}

// WaveSource identifies the full recording that a shortened one was made from.
type WaveSource struct {
	Start                Millis
	Samples              int
	SampleIntervalMillis float64
	Digest               Digest
}

// Gap is a period for which nothing could be recorded, with its cause.
type Gap struct {
	From, To Millis
	Cause    GapCause
	Detail   string
	// Replaces is the position of the gap that this one tells of anew, of its first version: it was noted under
	// another zone. 0 for a gap told of for the first time.
	Replaces Position
}

// GapCause says why data are missing. The words are stored and shown.
type GapCause string

// The causes of gaps.
const (
	GapUnreachable GapCause = "unreachable"
	GapBusy        GapCause = "busy"
	GapException   GapCause = "exception"
	GapImplausible GapCause = "implausible"
	GapStopped     GapCause = "manager stopped"
	GapOverwritten GapCause = "overwritten in the meter"
	GapReset       GapCause = "log reset"
	GapSettings    GapCause = "log settings changed"
	GapReplaced    GapCause = "meter replaced"
	GapNoRoom      GapCause = "no room on the manager's disk"
)
