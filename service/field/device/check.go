package device

import (
	"fmt"
	"slices"
	"strconv"

	"metermanager/logdb"
)

func bad(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrProfile}, args...)...)
}

// prepare checks every rule of the schema and converts the addresses to base 0.
func (p *Profile) prepare() error {
	if p.Schema != 1 {
		return bad("schema %d, want 1", p.Schema)
	}
	if !validName(p.ID, "-", 3, 40) {
		return bad("id %q, want 3 to 40 of a-z, 0-9 and -", p.ID)
	}
	if p.Kind != "registers" && p.Kind != "sunspec" {
		return bad("kind %q, want registers or sunspec", p.Kind)
	}
	if (p.Kind == "sunspec") != (p.SunSpec != nil) {
		return bad("a sunspec profile, and no other, has the member sunspec")
	}
	if p.AddressBase != 0 && p.AddressBase != 1 {
		return bad("address_base %d, want 0 or 1", p.AddressBase)
	}
	if err := p.Defaults.check(); err != nil {
		return err
	}
	if err := p.rebase(); err != nil {
		return err
	}
	if err := checkPoints(p.Identify, p.Defaults, 1<<16); err != nil {
		return fmt.Errorf("identify: %w", err)
	}
	if err := checkPoints(p.Points, p.Defaults, 1<<16); err != nil {
		return fmt.Errorf("points: %w", err)
	}
	if p.Probe != nil {
		if err := p.Probe.check(); err != nil {
			return err
		}
	}
	if p.SunSpec != nil {
		if err := p.SunSpec.check(p.Defaults); err != nil {
			return err
		}
	}
	return p.checkLogs()
}

func (d Defaults) check() error {
	switch {
	case d.FC != 3 && d.FC != 4:
		return bad("fc %d, want 3 or 4", d.FC)
	case !validOrder(d.Order):
		return bad("order %q, want ABCD, CDAB, BADC or DCBA", d.Order)
	case d.MaxRegs < 1 || d.MaxRegs > 125:
		return bad("max_regs %d, want 1 to 125", d.MaxRegs)
	case d.Gap < 0 || d.Gap > 100:
		return bad("gap %d, want 0 to 100", d.Gap)
	case d.TimeoutMS < 50 || d.TimeoutMS > 30_000:
		return bad("timeout_ms %d, want 50 to 30000", d.TimeoutMS)
	case d.RequestDelayMS < 0 || d.RequestDelayMS > 5_000:
		return bad("request_delay_ms %d, want 0 to 5000", d.RequestDelayMS)
	case d.Retries < 0 || d.Retries > 5:
		return bad("retries %d, want 0 to 5", d.Retries)
	}
	return nil
}

// rebase turns the addresses of a file written in register numbers into wire addresses.
func (p *Profile) rebase() error {
	if p.AddressBase == 0 {
		return nil
	}
	sub := func(a *Addr) error {
		if *a == 0 {
			return bad("address 0 in a file of base 1")
		}
		*a--
		return nil
	}
	var all []*Addr
	for _, list := range [][]Point{p.Identify, p.Points} {
		for i := range list {
			all = append(all, &list[i].Addr)
			if list[i].ScaleFrom != nil {
				all = append(all, &list[i].ScaleFrom.Addr)
			}
		}
	}
	for i := range p.Logs {
		if p.Logs[i].Family != FamilyRing {
			all = append(all, &p.Logs[i].StatusAddr)
		}
		if p.Logs[i].SettingsAddr != 0 {
			all = append(all, &p.Logs[i].SettingsAddr)
		}
		if p.Logs[i].SizeAddr != 0 {
			all = append(all, &p.Logs[i].SizeAddr)
		}
		for _, r := range []*RingAddrs{p.Logs[i].Ring, p.Logs[i].Samples} {
			if r != nil {
				all = append(all, &r.Header, &r.Index, &r.Mode, &r.Window)
			}
		}
	}
	for i := range p.WriteAllow {
		all = append(all, &p.WriteAllow[i])
	}
	for i := range p.Barriers {
		all = append(all, &p.Barriers[i])
	}
	for i := range p.NoRead {
		all = append(all, &p.NoRead[i].First, &p.NoRead[i].Last)
	}
	if p.Probe != nil {
		all = append(all, &p.Probe.Addr)
	}
	for _, a := range all {
		if err := sub(a); err != nil {
			return err
		}
	}
	p.AddressBase = 0
	return nil
}

func checkPoints(list []Point, d Defaults, end int) error {
	if len(list) > MaxPoints {
		return bad("%d points, at most %d", len(list), MaxPoints)
	}
	names := map[string]bool{}
	at := map[[2]int]string{}
	for i := range list {
		x := &list[i]
		if err := x.check(d, end); err != nil {
			return err
		}
		if names[x.Name] {
			return bad("point %s stands twice", x.Name)
		}
		names[x.Name] = true
		key := [2]int{int(x.fc(d)), int(x.Addr)}
		if t, ok := at[key]; ok && t != x.Type {
			return bad("points of types %s and %s at address %s", t, x.Type, x.Addr)
		}
		at[key] = x.Type
	}
	return nil
}

func (x *Point) check(d Defaults, end int) error {
	if !validName(x.Name, "_.", 1, 60) {
		return bad("point name %q, want a-z, 0-9, _ and points", x.Name)
	}
	w := x.width()
	if w == 0 {
		return bad("point %s: type %q with count %d", x.Name, x.Type, x.Count)
	}
	if int(x.Addr)+w > end {
		return bad("point %s ends beyond address %d", x.Name, end-1)
	}
	if x.FC != 0 && x.FC != 3 && x.FC != 4 {
		return bad("point %s: fc %d, want 3 or 4", x.Name, x.FC)
	}
	if x.Order != "" && (!validOrder(x.Order) || w < 2 || x.Type == "ascii") {
		return bad("point %s: order %q for type %s", x.Name, x.Order, x.Type)
	}
	if x.Scale != nil && (!finite(*x.Scale) || *x.Scale == 0) {
		return bad("point %s: scale %v", x.Name, *x.Scale)
	}
	if !finite(x.Offset) {
		return bad("point %s: offset %v", x.Name, x.Offset)
	}
	if x.Min != nil && x.Max != nil && *x.Min > *x.Max {
		return bad("point %s: min %v over max %v", x.Name, *x.Min, *x.Max)
	}
	if s := x.ScaleFrom; s != nil && s.Kind != ScalePow10 && s.Kind != ScaleEIGEnergy {
		return bad("point %s: scale_from kind %q", x.Name, s.Kind)
	}
	if x.Magnitude && !slices.Contains([]string{"s16", "s32", "s64", "f32", "f64"}, x.Type) {
		return bad("point %s: magnitude for type %s, which has no sign", x.Name, x.Type)
	}
	for _, h := range x.Invalid {
		if _, err := strconv.ParseUint(h, 16, 64); err != nil {
			return bad("point %s: invalid value %q, want hexadecimal digits", x.Name, h)
		}
	}
	if x.Channel != "" {
		if k, err := logdb.NormalizeChannel(string(x.Channel)); err != nil || k != x.Channel {
			return bad("point %s: channel %q is not canonical", x.Name, x.Channel)
		}
	}
	if !slices.Contains([]string{"", KindGauge, KindCounter, KindInterval}, x.Kind) {
		return bad("point %s: kind %q, want gauge, counter or interval", x.Name, x.Kind)
	}
	return nil
}

func (p *Profile) checkLogs() error {
	names, places := map[string]bool{}, map[string]string{}
	for _, l := range p.Logs {
		if names[l.Name] || !validName(l.Name, "_-", 1, 30) {
			return bad("log name %q is not good or stands twice", l.Name)
		}
		names[l.Name] = true
		if l.Family != FamilyWindow && l.Family != FamilyRing || l.Family != p.Logs[0].Family {
			return bad("log %s: family %q, want %s or %s for all logs", l.Name, l.Family, FamilyWindow, FamilyRing)
		}
		if l.LogKind() == 0 {
			return bad("log %s: kind %q", l.Name, l.Kind)
		}
		// The place behind the last stored record is found by the journal's log.
		place := fmt.Sprintf("%s log %d", l.Kind, l.Log)
		if other, taken := places[place]; taken {
			return bad("logs %s and %s: both are %s", other, l.Name, place)
		}
		places[place] = l.Name
		if !slices.Contains(recordsOf[l.Family], l.Record) {
			return bad("log %s: record %q, want one of %q", l.Name, l.Record, recordsOf[l.Family])
		}
		if l.Family == FamilyRing {
			if err := p.checkRing(l); err != nil {
				return err
			}
		}
		if int(l.StatusAddr)+StatusRegs > 1<<16 {
			return bad("log %s: status address %s", l.Name, l.StatusAddr)
		}
	}
	if len(p.Logs) == 0 {
		return nil
	}
	if p.Layouts == nil {
		return bad("a profile with logs needs the member layouts")
	}
	if p.Logs[0].Family == FamilyRing {
		if p.Layouts.Ring == nil {
			return bad("a profile with logs of the family %s needs layouts.ring", FamilyRing)
		}
		return p.Layouts.Ring.check(p)
	}
	return p.Layouts.check(p)
}

// recordsOf lists the record decoders of each family.
var recordsOf = map[string][]string{
	FamilyWindow: {RecordHistory, RecordAlarm, RecordPQ, RecordWaveform, RecordSystem, RecordIO},
	FamilyRing:   {RecordRingHistory, RecordRingLimit, RecordRingPQ, RecordRingWaveform, RecordRingSystem, RecordRingFlicker, RecordRingRaw},
}

// checkRing checks where a log of the ring family lies.
func (p *Profile) checkRing(l Log) error {
	switch {
	case l.Record == RecordRingRaw && l.LogKind() != logdb.KindSystem:
		return bad("log %s: records that are kept whole are of the kind system, not %s", l.Name, l.Kind)
	case l.Record == RecordRingFlicker && l.LogKind() != logdb.KindHistorical:
		return bad("log %s: flicker is of the kind historical, not %s", l.Name, l.Kind)
	case l.Record == RecordRingFlicker && p.Layouts != nil && p.Layouts.Ring != nil && p.Layouts.Ring.Flicker == nil:
		return bad("log %s: flicker needs layouts.ring.flicker", l.Name)
	}
	if l.Ring == nil || (l.Record == RecordRingWaveform) != (l.Samples != nil) {
		return bad("log %s: a ring log has the member ring, and that of waveforms the member samples", l.Name)
	}
	for _, r := range []*RingAddrs{l.Ring, l.Samples} {
		if r == nil {
			continue
		}
		if int(r.Header)+RingHeaderRegs > 1<<16 || int(r.Window)+RingWindowRegs > 1<<16 || r.Mode < r.Index || int(r.Mode-r.Index) > 124 {
			return bad("log %s: header %s, window %s, index %s and mode %s", l.Name, r.Header, r.Window, r.Index, r.Mode)
		}
		for _, a := range []Addr{r.Index, r.Mode} {
			if !slices.Contains(p.WriteAllow, a) {
				return bad("log %s: writing %s must be allowed", l.Name, a)
			}
		}
	}
	return nil
}

func validName(s, extra string, least, most int) bool {
	if len(s) < least || len(s) > most {
		return false
	}
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && !slices.Contains([]byte(extra), c) {
			return false
		}
	}
	return true
}

func validOrder(s string) bool {
	return slices.Contains([]string{"ABCD", "CDAB", "BADC", "DCBA"}, s)
}
