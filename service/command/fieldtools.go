package command

import (
	"context"
	"errors"
	"math"
	"strconv"
	"strings"
	"time"

	"metermanager/logdb"
	"metermanager/rpc/api"
	"metermanager/rpc/fault"
	"metermanager/service/cloud/account"
	"metermanager/service/field/device"
	"metermanager/service/field/discover"
	"metermanager/service/field/doctor"
	"metermanager/service/field/modbus"
	"metermanager/service/field/retrieve"
)

// DiscoveryHandlers are the commands of who sets up meters: finding them, looking at registers, and why one does not answer.
// Profiles of one's own lie in folder.
func DiscoveryHandlers(field *retrieve.Manager, scans *discover.Runner, profiles *device.Set, folder string, dial modbus.Config) Handlers {
	d := discovery{field, scans, profiles, folder, dial}
	return Handlers{
		api.CmdMeterDiscover:     Bind(d.start),
		api.CmdMeterDiscovered:   Bind(d.status),
		api.CmdMeterDiscoverStop: Bind(d.stop),
		api.CmdMeterRegisters:    Bind(d.registers),
		api.CmdMeterDoctor:       Bind(d.doctor),
		api.CmdMeterProfiles:     Bind(d.listProfiles),
		api.CmdMeterProfilePut:   Bind(d.putProfile),
		api.CmdMeterProfileDraft: Bind(d.draftProfile),
	}
}

type discovery struct {
	field    *retrieve.Manager
	scans    *discover.Runner
	profiles *device.Set
	folder   string
	modbus   modbus.Config
}

type discoverArgs struct {
	Ranges string `json:"ranges"`
	Lines  string `json:"lines"`
	Ports  string `json:"ports"`
	Units  string `json:"units"`
	Public bool   `json:"public"`
}

func (d discovery) start(ctx context.Context, p account.Principal, a discoverArgs) (api.Discovery, error) {
	r := discover.Request{Ranges: words(a.Ranges), Lines: words(a.Lines), Public: a.Public}
	var err error
	if r.Ports, err = numbers("ports", a.Ports); err != nil {
		return api.Discovery{}, err
	}
	if r.Units, err = numbers("units", a.Units); err != nil {
		return api.Discovery{}, err
	}
	st, err := d.scans.Start(ctx, r, p.Name)
	switch {
	case errors.Is(err, discover.ErrBusy):
		return api.Discovery{}, fault.Wrap(fault.Conflict, "A scan is under way.", err).WithHint("Wait for it, or end it: meter.discover.stop")
	case errors.Is(err, discover.ErrInvalid):
		return api.Discovery{}, fault.Wrap(fault.Invalid, "This cannot be scanned.", err).WithHint(err.Error())
	case err != nil:
		return api.Discovery{}, err
	}
	return discoveryOf(st), nil
}

func words(list string) []string {
	return strings.FieldsFunc(list, func(c rune) bool { return c == ',' || c == ' ' })
}

// numbers reads 1-20,247.
func numbers(param, list string) ([]int, error) {
	var out []int
	for _, w := range words(list) {
		from, to, ranged := strings.Cut(w, "-")
		first, err := strconv.Atoi(from)
		last := first
		if err == nil && ranged {
			last, err = strconv.Atoi(to)
		}
		if err != nil || first < 0 || last < first || last > 65535 {
			return nil, fault.Newf(fault.Invalid, "%q is no number and no range such as 1-20.", w).At(param)
		}
		for n := first; n <= last && len(out) <= 1000; n++ {
			out = append(out, n)
		}
	}
	if len(out) > 1000 {
		return nil, fault.New(fault.Invalid, "These are more than 1,000 numbers.").At(param)
	}
	return out, nil
}

func (d discovery) status(context.Context, account.Principal, none) (api.Discovery, error) {
	return discoveryOf(d.scans.Status()), nil
}

func (d discovery) stop(context.Context, account.Principal, none) (api.Discovery, error) {
	return discoveryOf(d.scans.Cancel()), nil
}

func discoveryOf(s discover.Status) api.Discovery {
	return api.Discovery{
		State: s.State, Ranges: s.Request.Ranges, Lines: s.Request.Lines, By: s.By, Started: s.Started, Ended: s.Ended, AtMostMS: s.AtMostMS,
		Addresses: s.Progress.Addresses, Done: s.Progress.Done, Open: s.Progress.Open, Asked: s.Progress.Asked, Skipped: s.Progress.Skipped,
		Error: s.Error, Found: s.Found,
	}
}

type registersArgs struct {
	Meter string `json:"meter"`
	Addr  string `json:"addr"`
	Count *int   `json:"count"`
	FC    *int   `json:"fc"`
	Unit  *int   `json:"unit"`
}

func (d discovery) registers(ctx context.Context, _ account.Principal, a registersArgs) (api.Registers, error) {
	unit, err := unitArg(a.Unit)
	if err != nil {
		return api.Registers{}, err
	}
	addr, err := strconv.ParseUint(a.Addr, 0, 16)
	if err != nil {
		return api.Registers{}, fault.New(fault.Invalid, "An address of a register is 0 to 65535, or 0x0000 to 0xFFFF, as on the wire.").At("addr").
			WithHint("A manual that says register 40001 means holding register 0 (function 3), 30001 input register 0 (function 4).")
	}
	look := discover.Look{FC: 3, Addr: uint16(addr), Count: 20}
	if a.Count != nil {
		look.Count = *a.Count
	}
	if a.FC != nil {
		look.FC = byte(*a.FC)
		if *a.FC != 3 && *a.FC != 4 {
			return api.Registers{}, badFC()
		}
	}
	if err := look.Check(); err != nil {
		return api.Registers{}, fault.Wrap(fault.Invalid, "These registers cannot be read.", err).WithHint(err.Error())
	}
	var list []api.Register
	err = d.field.Ask(ctx, a.Meter, unit, func(ctx context.Context, u *modbus.Unit) (err error) {
		list, err = discover.Registers(ctx, u, look)
		return err
	})
	switch {
	case errors.Is(err, discover.ErrRefused):
		return api.Registers{}, fault.Wrap(fault.Unavailable, "The meter refuses all of these registers.", err).WithHint(look.Advice())
	case err != nil:
		return api.Registers{}, meterFault(err)
	}
	return api.Registers{Meter: a.Meter, FC: int(look.FC), Registers: list}, nil
}

func badFC() error {
	return fault.New(fault.Invalid, "Registers are read with function 3 (holding registers) or 4 (input registers).").At("fc")
}

type doctorArgs struct {
	Meter   string `json:"meter"`
	Examine bool   `json:"examine"`
}

func (d discovery) doctor(ctx context.Context, _ account.Principal, a doctorArgs) (api.Doctor, error) {
	out := api.Doctor{Lines: []api.LineHealth{}}
	var only retrieve.Meter
	if a.Meter != "" {
		var err error
		if only, err = d.field.Find(a.Meter); err != nil {
			return out, meterFault(err)
		}
	} else if a.Examine {
		return out, fault.New(fault.Invalid, "Say which meter to examine.").At("meter")
	}
	for _, l := range d.field.Health() {
		if a.Meter != "" && l.Address != only.Address {
			continue
		}
		line := lineHealth(l)
		if a.Meter != "" {
			line.Units = keepUnit(line.Units, only.UID)
		}
		out.Lines = append(out.Lines, line)
	}
	if !a.Examine {
		return out, nil
	}
	f, err := d.examine(ctx, only)
	if err != nil {
		return out, meterFault(err)
	}
	out.Examined = &f
	return out, nil
}

func keepUnit(list []api.UnitHealth, uid logdb.MeterUID) []api.UnitHealth {
	for _, u := range list {
		if u.UID == uid {
			return []api.UnitHealth{u}
		}
	}
	return []api.UnitHealth{}
}

func (d discovery) examine(ctx context.Context, x retrieve.Meter) (api.Finding, error) {
	p := doctor.Patient{Address: x.Address, Unit: x.Unit, Config: d.modbus}
	p.Profile, _ = d.profiles.Get(x.Profile)
	listed, shared := d.field.At(x.Address)
	for unit := range listed {
		if unit != x.Unit {
			p.Listed = append(p.Listed, unit)
		}
	}
	var f doctor.Finding
	ask := func(ctx context.Context, e *modbus.Endpoint) (err error) {
		f, err = doctor.Examine(ctx, e, p)
		return err
	}
	if shared != nil {
		err := ask(ctx, shared)
		return api.Finding(f), err
	}
	err := modbus.With(ctx, x.Address, d.modbus, ask)
	return api.Finding(f), err
}

func lineHealth(l retrieve.LineHealth) api.LineHealth {
	out := api.LineHealth{
		Address: l.Address, Connected: l.Health.Connected, Waiting: l.Health.Waiting, Traffic: traffic(l.Health.Counters), Units: make([]api.UnitHealth, len(l.Units)),
	}
	if !l.Health.NextDial.IsZero() {
		out.Next = logdb.MillisOf(l.Health.NextDial)
	}
	answering := 0
	for _, u := range l.Units {
		if !u.Unreachable && u.LastAnswer > 0 {
			answering++
		}
	}
	for i, u := range l.Units {
		others := answering
		if !u.Unreachable && u.LastAnswer > 0 {
			others--
		}
		f := doctor.Facts{
			Unit: int(u.Meter.Unit), Address: l.Address, Counters: u.Counters, Others: others, Timeout: time.Duration(u.TimeoutMS) * time.Millisecond,
		}
		if u.SilentMS > 0 {
			f.SilentSince = time.UnixMilli(u.SilentMS)
		}
		out.Units[i] = api.UnitHealth{
			UID: u.Meter.UID, Name: u.Meter.Name, Unit: int(u.Meter.Unit), Profile: u.Meter.Profile, LastOK: logdb.Millis(u.LastAnswer), SilentSince: logdb.Millis(u.SilentMS),
			TimeoutMS: u.TimeoutMS, EveryS: u.Schedule.EverySeconds, Kept: u.Schedule.Kept, Missed: u.Schedule.Missed,
			Traffic: traffic(u.Counters), Finding: api.Finding(doctor.Explain(f)),
		}
	}
	return out
}

func traffic(c modbus.Counters) api.Traffic {
	out := api.Traffic{
		Requests: c.Requests, OK: c.OK, Timeouts: c.Timeouts, CRCErrors: c.CRCErrors, Desyncs: c.Desyncs, Foreign: c.UnknownTransaction + c.UnknownUnit + c.Late,
		Unreachable: c.Unreachable, Exceptions: c.Exceptions, MaxMS: milliseconds(c.LatencyMax), LastError: c.LastError,
	}
	if !c.LastErrorAt.IsZero() {
		out.LastErrorAt = logdb.MillisOf(c.LastErrorAt)
	}
	answers := int64(0)
	for i, n := range c.Latencies {
		class := api.LatencyClass{Count: n}
		if i < len(modbus.LatencyBounds) {
			class.UpToMS = modbus.LatencyBounds[i].Milliseconds()
		}
		answers += n
		out.Latencies = append(out.Latencies, class)
	}
	if answers > 0 {
		out.MeanMS = milliseconds(c.LatencySum / time.Duration(answers))
	}
	return out
}

// milliseconds rounds to a tenth.
func milliseconds(d time.Duration) float64 {
	return math.Round(float64(d)/float64(100*time.Microsecond)) / 10
}
