package sim

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"strconv"
)

// layout is the part of the Shark 200 profile that says how records look where the manual's
// text is not known: data shared with the driver. It is read here on its own, so that a
// mistake of the driver's reader does not repeat itself in the meter.
type layout struct {
	system map[string][2]byte // name -> group, event
	alarm  alarmLayout
	pq     pqLayout
	wave   waveLayout
}

type alarmLayout struct {
	Out     byte    `json:"direction_out"`
	In      byte    `json:"direction_in"`
	Below   byte    `json:"below_mask"`
	ID      byte    `json:"id_mask"`
	Percent float64 `json:"percent_per_count"`
}

type pqLayout struct {
	Size        int       `json:"size"`
	Present     int       `json:"present"`
	Event       int       `json:"event"`
	Capture     int       `json:"capture"`
	Flags       int       `json:"flags"`
	CycleTag    int       `json:"cycle_tag"`
	Surge       int       `json:"surge"`
	Sag         int       `json:"sag"`
	Calibration int       `json:"calibration"`
	SurgeBit    int       `json:"surge_bit"`
	SagBit      int       `json:"sag_bit"`
	SurgeAddrs  []address `json:"surge_threshold_addrs"`
	SagAddrs    []address `json:"sag_threshold_addrs"`
	Percent     float64   `json:"percent_per_count"`
}

type waveLayout struct {
	CountsDivisor float64 `json:"counts_divisor"`
	RateAddr      address `json:"rate_addr"`
	RateHz        float64 `json:"rate_hz"`
	Rates         []struct {
		Code    byte `json:"code"`
		Samples int  `json:"samples"`
	} `json:"rate_codes"`
	Channels []struct {
		ID      string `json:"id"`
		Current bool   `json:"current"`
		Phase   int    `json:"phase"`
	} `json:"channels"`
	Triggers []struct {
		Bit     int    `json:"bit"`
		Channel string `json:"channel"`
		What    string `json:"what"`
	} `json:"triggers"`
}

// address is a register address, written as "0x1F" or as a number.
type address uint16

func (a *address) UnmarshalJSON(b []byte) error {
	text := string(b)
	if len(b) > 0 && b[0] == '"' {
		if err := json.Unmarshal(b, &text); err != nil {
			return err
		}
	}
	v, err := strconv.ParseUint(text, 0, 16)
	if err != nil {
		return fmt.Errorf("register address %q: %w", text, err)
	}
	*a = address(v)
	return nil
}

// readLayout reads what the simulated meter needs of the profile.
func readLayout(profiles fs.FS) (*layout, error) {
	const name = "eig-shark-200.json"
	data, err := fs.ReadFile(profiles, name)
	if err != nil {
		return nil, fmt.Errorf("read profile: %w", err)
	}
	var doc struct {
		Layouts struct {
			System struct {
				Names []struct {
					Name  string `json:"name"`
					Group byte   `json:"group"`
					Event byte   `json:"event"`
				} `json:"names"`
			} `json:"system"`
			Alarm    alarmLayout `json:"alarm"`
			PQ       pqLayout    `json:"pq"`
			Waveform waveLayout  `json:"waveform"`
		} `json:"layouts"`
	}
	if err := json.Unmarshal(data, &doc); err != nil {
		return nil, fmt.Errorf("read profile %s: %w", name, err)
	}
	l := &layout{system: map[string][2]byte{}, alarm: doc.Layouts.Alarm, pq: doc.Layouts.PQ, wave: doc.Layouts.Waveform}
	for _, n := range doc.Layouts.System.Names {
		l.system[n.Name] = [2]byte{n.Group, n.Event}
	}
	for _, e := range systemEvents {
		if _, ok := l.system[e.profile]; !ok {
			return nil, fmt.Errorf("read profile %s: no system event %q", name, e.profile)
		}
	}
	if l.pq.Size < 32 || l.pq.Size > 242 || len(l.wave.Channels) != 6 || l.wave.CountsDivisor <= 0 || l.alarm.Percent <= 0 {
		return nil, fmt.Errorf("read profile %s: record layouts are incomplete", name)
	}
	return l, nil
}
