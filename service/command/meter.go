package command

import (
	"context"
	"errors"
	"math"
	"net"
	"strconv"
	"strings"

	"metermanager/logdb"
	"metermanager/rpc/api"
	"metermanager/rpc/fault"
	"metermanager/rpc/permission"
	"metermanager/service/cloud/account"
	"metermanager/service/field/device"
	"metermanager/service/field/modbus"
	"metermanager/service/field/poll"
	"metermanager/service/field/retrieve"
)

// CloudMeters changes a meter's settings for a cloud, "" for the first one: those whose names begin with "cloud.".
type CloudMeters func(ctx context.Context, cloud string, meter logdb.MeterUID, name, value string) error

// MeterHandlers are the commands about the meters that this node reads. cloud may be nil.
func MeterHandlers(field *retrieve.Manager, cloud CloudMeters, status StatusSource) Handlers {
	m := meterCommands{field, cloud, status}
	return Handlers{
		api.CmdMeterAdd:      Bind(m.add),
		api.CmdMeterList:     Bind(m.list),
		api.CmdMeterShow:     Bind(m.show),
		api.CmdMeterRemove:   Bind(m.remove),
		api.CmdMeterTest:     Bind(m.test),
		api.CmdMeterRead:     Bind(m.read),
		api.CmdMeterRetrieve: Bind(m.retrieve),
		api.CmdMeterSet:      Bind(m.set),
		api.CmdMeterRedecode: Bind(m.redecode),
	}
}

type meterCommands struct {
	field  *retrieve.Manager
	cloud  CloudMeters
	source StatusSource
}

type meterAddArgs struct {
	Name    string `json:"name"`
	Address string `json:"address"`
	Unit    *int   `json:"unit"`
	Profile string `json:"profile"`
	Zone    string `json:"zone"`
	Serial  string `json:"serial"`
}

func (m meterCommands) add(ctx context.Context, _ account.Principal, a meterAddArgs) (api.MeterStatus, error) {
	unit, err := unitArg(a.Unit)
	if err != nil {
		return api.MeterStatus{}, err
	}
	x, err := m.field.Add(ctx, retrieve.AddRequest{Name: a.Name, Address: a.Address, Unit: unit, Profile: a.Profile, Zone: a.Zone, Serial: a.Serial})
	if err != nil {
		return api.MeterStatus{}, meterFault(err)
	}
	return m.status(ctx, string(x.UID))
}

func unitArg(n *int) (byte, error) {
	switch {
	case n == nil:
		return 1, nil
	case *n < 0 || *n > 255:
		return 0, fault.New(fault.Invalid, "A Modbus unit is 0 to 255.").At("unit")
	}
	return byte(*n), nil
}

func (m meterCommands) status(ctx context.Context, id string) (api.MeterStatus, error) {
	s, err := m.field.Show(ctx, id)
	return meterStatus(s), meterFault(err)
}

type meterList struct {
	Meters []api.MeterStatus `json:"meters"`
}

func (m meterCommands) list(ctx context.Context, _ account.Principal, _ none) (meterList, error) {
	list, err := FieldStatus(m.field)(ctx)
	return meterList{list}, meterFault(err)
}

// meterDetail is everything that is known about one meter.
type meterDetail struct {
	api.MeterStatus
	Enabled  bool                   `json:"enabled"`
	Zone     string                 `json:"time_zone"`
	Memory   bool                   `json:"memory"`
	Retrieve int                    `json:"retrieve_s"`
	Live     int                    `json:"live_s"`
	LogEvery int                    `json:"log_s"`
	Limits   string                 `json:"limits,omitempty"` // watched by this node
	Session  string                 `json:"session,omitempty"`
	DriftMS  *int64                 `json:"clock_drift_ms,omitempty"`
	Places   []retrieve.LogState    `json:"retrieval"`
	Counters *modbus.Counters       `json:"modbus,omitempty"`
	History  []retrieve.HistoryItem `json:"history"`
}

func (m meterCommands) show(ctx context.Context, p account.Principal, a meterArgs) (meterDetail, error) {
	s, err := m.field.Show(ctx, a.Meter)
	if err != nil {
		return meterDetail{}, meterFault(err)
	}
	history, err := m.field.History(ctx, string(s.UID), 20)
	if err != nil {
		return meterDetail{}, meterFault(err)
	}
	full := meterStatus(s)
	if p.Permissions.Has(permission.MetersRead) {
		if full, err = m.source.MeterStatus(ctx, p, string(s.UID)); err != nil {
			return meterDetail{}, err
		}
	}
	return meterDetail{
		full, s.Enabled, s.Zone, s.Memory, s.RetrieveSeconds, s.LiveSeconds, s.LogSeconds, s.Limits, s.Session, s.DriftMS, s.Logs, s.Counters, history,
	}, nil
}

type meterRemoved struct {
	UID  logdb.MeterUID `json:"meter_uid"`
	Name string         `json:"name"`
	Note string         `json:"note"`
}

func (m meterCommands) remove(ctx context.Context, _ account.Principal, a meterArgs) (meterRemoved, error) {
	x, err := m.field.Remove(ctx, a.Meter)
	return meterRemoved{x.UID, x.Name, "its recorded data stay"}, meterFault(err)
}

// meterReading is one present value, null where there is none.
type meterReading struct {
	device.Reading
	Value api.Value `json:"value"`
}

func meterReadings(list []device.Reading) []meterReading {
	out := make([]meterReading, len(list))
	for i, r := range list {
		v := r.Value
		if r.Text != "" {
			v = math.NaN()
		}
		out[i] = meterReading{r, api.Value(v)}
	}
	return out
}

type meterTestArgs struct {
	Meter string `json:"meter"`
	Unit  *int   `json:"unit"`
}

type meterTested struct {
	Profile  string          `json:"profile"`
	Make     string          `json:"make"`
	Type     string          `json:"type"`
	Name     string          `json:"name,omitempty"`
	Serial   string          `json:"serial"`
	Firmware string          `json:"firmware,omitempty"`
	TookMS   int64           `json:"took_ms"`
	Modbus   modbus.Counters `json:"modbus"`
	Readings []meterReading  `json:"readings"`
}

// test talks to a meter of the list, or to whatever is at an address.
func (m meterCommands) test(ctx context.Context, _ account.Principal, a meterTestArgs) (meterTested, error) {
	address, profile := a.Meter, ""
	unit, err := unitArg(a.Unit)
	if err != nil {
		return meterTested{}, err
	}
	s, err := m.field.Show(ctx, a.Meter)
	switch {
	case err == nil:
		address, profile, unit = s.Address, s.Profile, s.Unit
	case !looksLikeAddress(a.Meter):
		return meterTested{}, meterFault(err)
	}
	r, err := m.field.Test(ctx, address, unit, profile)
	if err != nil {
		return meterTested{}, meterFault(err)
	}
	return meterTested{
		Profile: r.Profile, Make: r.Identity.Make, Type: r.Identity.Model, Name: r.Identity.Name, Serial: r.Identity.Serial,
		Firmware: r.Identity.Firmware, TookMS: r.Took.Milliseconds(), Modbus: r.Counters, Readings: meterReadings(r.Readings),
	}, nil
}

func looksLikeAddress(s string) bool {
	_, _, err := net.SplitHostPort(s)
	return err == nil || strings.Contains(s, "://")
}

type meterRead struct {
	UID      logdb.MeterUID `json:"meter_uid"`
	Time     logdb.Millis   `json:"time_ms"`
	Readings []meterReading `json:"readings"`
}

func (m meterCommands) read(ctx context.Context, _ account.Principal, a meterArgs) (meterRead, error) {
	l, err := m.field.Read(ctx, a.Meter)
	return meterRead{l.Meter, l.At, meterReadings(l.Readings)}, meterFault(err)
}

type meterRetrieveArgs struct {
	Meter string `json:"meter"`
	Kind  string `json:"kind"`
}

type meterRetrieved struct {
	Retrievals []retrieve.HistoryItem `json:"retrievals"`
}

// retrieve asks one meter, or every enabled one; then each tells its own error.
func (m meterCommands) retrieve(ctx context.Context, _ account.Principal, a meterRetrieveArgs) (meterRetrieved, error) {
	var kind logdb.Kind
	if a.Kind != "" {
		var err error
		if kind, err = logdb.ParseKind(a.Kind); err != nil {
			return meterRetrieved{}, fault.Wrap(fault.Invalid, "There is no such log: historical, waveform, system, limits, pq.", err).At("kind")
		}
	}
	if a.Meter != "" {
		item, err := m.field.Retrieve(ctx, a.Meter, kind)
		return meterRetrieved{[]retrieve.HistoryItem{item}}, meterFault(err)
	}
	out := meterRetrieved{Retrievals: []retrieve.HistoryItem{}}
	for _, x := range m.field.Meters() {
		if !x.Enabled {
			continue
		}
		item, err := m.field.Retrieve(ctx, string(x.UID), kind)
		if ctx.Err() != nil {
			return out, ctx.Err()
		}
		if err != nil {
			item.Meter, item.Error = x.UID, err.Error()
		}
		out.Retrievals = append(out.Retrievals, item)
	}
	return out, nil
}

type meterRedecodeArgs struct {
	Meter  string `json:"meter"`
	DryRun bool   `json:"dry_run"`
}

type meterRedecoded struct {
	DryRun bool                 `json:"dry_run"`
	Logs   []retrieve.Redecoded `json:"logs"`
}

// redecode decodes a meter's kept records again by its zone, profile and correction of now.
func (m meterCommands) redecode(ctx context.Context, _ account.Principal, a meterRedecodeArgs) (meterRedecoded, error) {
	logs, err := m.field.Redecode(ctx, a.Meter, a.DryRun)
	return meterRedecoded{a.DryRun, logs}, meterFault(err)
}

type meterSetArgs struct {
	Meter string `json:"meter"`
	Name  string `json:"name"`
	Value string `json:"value"`
	cloudArgs
}

func (m meterCommands) set(ctx context.Context, _ account.Principal, a meterSetArgs) (api.MeterStatus, error) {
	s, err := m.field.Show(ctx, a.Meter)
	if err != nil {
		return api.MeterStatus{}, meterFault(err)
	}
	if strings.HasPrefix(a.Name, "cloud.") {
		if m.cloud == nil {
			return api.MeterStatus{}, fault.New(fault.Unavailable, "This node has no cloud sync.").At("name")
		}
		if err := m.cloud(ctx, a.Cloud, s.UID, a.Name, a.Value); err != nil {
			return api.MeterStatus{}, cloudFault(err)
		}
		return m.status(ctx, string(s.UID))
	}
	if a.Cloud != "" {
		return api.MeterStatus{}, fault.New(fault.Invalid, "This setting is not one for a cloud.").At("cloud")
	}
	c, err := meterChange(a.Name, a.Value)
	if err != nil {
		return api.MeterStatus{}, err
	}
	if _, err := m.field.Set(ctx, string(s.UID), c); err != nil {
		return api.MeterStatus{}, meterFault(err)
	}
	return m.status(ctx, string(s.UID))
}

// meterChange reads one setting. "schedule" is the seconds between two retrievals.
func meterChange(name, value string) (retrieve.Change, error) {
	var c retrieve.Change
	if n, ok := strings.CutPrefix(name, "limit."); ok {
		i, err := strconv.Atoi(n)
		if err != nil {
			return c, fault.New(fault.Invalid, "A limit has a number: limit.1 to limit.8.").At("name")
		}
		c.Limit = &retrieve.LimitChange{Number: i, Text: value}
		return c, nil
	}
	number := func(to **int) error {
		n, err := strconv.Atoi(strings.TrimSuffix(value, "s"))
		if err != nil {
			return fault.New(fault.Invalid, "The value must be a number of seconds.").At("value")
		}
		*to = &n
		return nil
	}
	switch name {
	case "name":
		c.Name = &value
	case "address":
		c.Address = &value
	case "zone", "time_zone":
		c.Zone = &value
	case "unit":
		n, err := strconv.ParseUint(value, 10, 8)
		if err != nil {
			return c, fault.New(fault.Invalid, "A Modbus unit is 0 to 255.").At("value")
		}
		b := byte(n)
		c.Unit = &b
	case "enabled":
		on, err := strconv.ParseBool(value)
		if err != nil {
			return c, fault.New(fault.Invalid, "The value must be true or false.").At("value")
		}
		c.Enabled = &on
	case "ct_factor", "pt_factor":
		f, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return c, fault.New(fault.Invalid, "The factor must be a number: the true ratio divided by the one that the meter has.").At("value")
		}
		if name == "ct_factor" {
			c.CTFactor = &f
		} else {
			c.PTFactor = &f
		}
	case "nominal_volts", "nominal_hz":
		f, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return c, fault.New(fault.Invalid, "The value must be a number: the declared voltage in V, line to neutral, or the frequency in Hz.").At("value")
		}
		if name == "nominal_volts" {
			c.NominalVolts = &f
		} else {
			c.NominalHz = &f
		}
	case "limits":
		c.Limits = &value
	case "schedule", "retrieve_s":
		return c, number(&c.RetrieveSeconds)
	case "live_s":
		return c, number(&c.LiveSeconds)
	case "log_s":
		return c, number(&c.LogSeconds)
	default:
		return c, fault.New(fault.Invalid, "There is no such setting of a meter.").At("name").
			WithHint("name, address, unit, zone, nominal_volts, nominal_hz, ct_factor, pt_factor, enabled, schedule, live_s, log_s, limits, limit.1 to limit.8, cloud.meter.uid, cloud.meter.enabled, cloud.meter.upload.enabled")
	}
	return c, nil
}

// meterFault words the errors of the field side.
func meterFault(err error) error {
	if err == nil {
		return nil
	}
	for _, f := range []struct {
		sentinel error
		code     fault.Code
		message  string
	}{
		{retrieve.ErrUnknownMeter, fault.NotFound, "There is no such meter in the list."},
		{retrieve.ErrExists, fault.Conflict, "The meter is in the list already."},
		{retrieve.ErrLogBusy, fault.Unavailable, "Another program is reading this log; the meter lets it go after five minutes of rest."},
		{retrieve.ErrNoRepeat, fault.Unavailable, "The meter, or the converter before it, does not answer function 0x23, by which waveforms are read: try another port of the meter; its other logs are read."},
		{modbus.ErrUnreachable, fault.Unavailable, "The meter's address cannot be reached."},
		{modbus.ErrTimeout, fault.Timeout, "The meter does not answer."},
		{modbus.ErrDesync, fault.Unavailable, "What answers does not speak Modbus as a meter does."},
		{modbus.ErrClosed, fault.Unavailable, "The meters are being stopped."},
		{poll.ErrIdentity, fault.Conflict, "What answers is not a meter that a profile describes."},
		{device.ErrNotSunSpec, fault.Conflict, "What answers is not a meter that a profile describes."},
		{retrieve.ErrInvalid, fault.Invalid, "This setting cannot be used."},
	} {
		if errors.Is(err, f.sentinel) {
			return fault.Wrap(f.code, f.message, err).WithHint(err.Error())
		}
	}
	if x, ok := modbus.ExceptionOf(err); ok {
		return fault.Wrap(fault.Unavailable, "The meter refused the request.", err).WithHint(x.Error())
	}
	return err
}
