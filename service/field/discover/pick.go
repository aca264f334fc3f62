package discover

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"metermanager/logdb"
	"metermanager/service/field/device"
)

// Pick is a value that somebody found in the registers.
type Pick struct {
	Channel logdb.ChannelKey
	Addr    uint16
	Type    string // one of Types
	Order   string // "" for one register
	Scale   float64
}

// longestPick is longer than any that is meant.
const longestPick = 200

// ParsePick reads CHANNEL=ADDR:TYPE[:ORDER][*SCALE], such as energy.total.wh.received=0x0048:f32:ABCD*1000. Its errors say what to
// write instead.
func ParsePick(text string) (Pick, error) {
	name, rest, ok := strings.Cut(text, "=")
	switch {
	case len(text) > longestPick:
		return Pick{}, fmt.Errorf("%d characters, at most %d", len(text), longestPick)
	case !ok:
		return Pick{}, fmt.Errorf("want CHANNEL=ADDR:TYPE:ORDER")
	}
	channel, err := logdb.NormalizeChannel(name)
	if err != nil {
		return Pick{}, err
	}
	k := Pick{Channel: channel, Scale: 1}
	rest, scale, scaled := strings.Cut(rest, "*")
	if scaled {
		k.Scale, err = strconv.ParseFloat(scale, 64)
		if err != nil || k.Scale == 0 || math.IsNaN(k.Scale) || math.IsInf(k.Scale, 0) {
			return Pick{}, fmt.Errorf("scale %q, want a number such as 0.1 or 1000", scale)
		}
	}
	parts := strings.Split(rest, ":")
	if len(parts) < 2 || len(parts) > 3 {
		return Pick{}, fmt.Errorf("want CHANNEL=ADDR:TYPE:ORDER")
	}
	addr, err := strconv.ParseUint(parts[0], 0, 16)
	if err != nil {
		return Pick{}, fmt.Errorf("address %q, want 0 to 65535, or 0x0000 to 0xFFFF", parts[0])
	}
	k.Addr, k.Type = uint16(addr), strings.ToLower(parts[1])
	if !slices.Contains(Types[:], k.Type) {
		return Pick{}, fmt.Errorf("type %q, want %s", parts[1], strings.Join(Types[:], ", "))
	}
	if len(parts) == 3 {
		if strings.HasSuffix(k.Type, "16") {
			return Pick{}, fmt.Errorf("%s is one register and has no order: leave :%s out", k.Type, parts[2])
		}
		if k.Order = strings.ToUpper(parts[2]); !slices.Contains(Orders[:], k.Order) {
			return Pick{}, fmt.Errorf("order %q, want %s", parts[2], strings.Join(Orders[:], ", "))
		}
	}
	return k, nil
}

// Draft makes the file of a profile from picked values. Nothing in it was compared with a document of the maker, so all
// is marked as unverified.
func Draft(id, vendor, model string, fc byte, picks []Pick) ([]byte, error) {
	p := device.Profile{
		Schema: 1, ID: id, Vendor: vendor, Model: model, Kind: "registers", Source: "picked from the registers of a meter, not from a document",
		Defaults: device.Defaults{FC: fc, Order: "ABCD", MaxRegs: 50, Gap: 8, TimeoutMS: 1000, Retries: 1},
		Identify: []device.Point{}, WriteAllow: []device.Addr{}, Logs: []device.Log{},
	}
	for _, k := range picks {
		x := device.Point{
			Name: strings.ReplaceAll(string(k.Channel), "-", "_"), Addr: device.Addr(k.Addr), Type: k.Type, Channel: k.Channel, Order: k.Order,
			Unit: string(logdb.LookupChannel(k.Channel).Unit), Kind: device.KindGauge, Unverified: true,
		}
		if strings.HasPrefix(string(k.Channel), "energy.total.") {
			x.Kind = device.KindCounter
		}
		if k.Scale != 0 && k.Scale != 1 {
			x.Scale = &k.Scale
		}
		p.Points = append(p.Points, x)
	}
	data, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return nil, err
	}
	if _, err := device.Parse(data); err != nil {
		return nil, err
	}
	return append(data, '\n'), nil
}
