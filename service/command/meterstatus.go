package command

import (
	"context"
	"math"
	"strings"

	"metermanager/logdb"
	"metermanager/rpc/api"
	"metermanager/service/field/device"
	"metermanager/service/field/modbus"
	"metermanager/service/field/poll"
	"metermanager/service/field/retrieve"
)

// FieldStatus tells the state of every meter that field reads, for NodeConfig.Field.
func FieldStatus(field *retrieve.Manager) func(ctx context.Context) ([]api.MeterStatus, error) {
	return func(ctx context.Context) ([]api.MeterStatus, error) {
		list, err := field.List(ctx)
		if err != nil {
			return nil, err
		}
		out := make([]api.MeterStatus, len(list))
		for i, s := range list {
			out[i] = meterStatus(s)
			live, err := field.Latest(string(s.UID))
			if err == nil && live.At > 0 {
				out[i].Latest = latest(live)
			}
		}
		return out, nil
	}
}

// meterStatus puts what the field side knows into the words of the API.
func meterStatus(s retrieve.Status) api.MeterStatus {
	out := api.MeterStatus{
		UID: s.UID, Name: s.Name, Serial: s.Serial, Profile: s.Profile, Address: s.Address, Unit: int(s.Unit),
		LastOK: s.LastAnswer, Next: s.NextDue, Unverified: s.Unverified, ClockDrift: s.DriftMS, Doing: s.Session,
	}
	for _, l := range s.Memories {
		out.Retrieval = append(out.Retrieval, api.LogRetrieval{
			Log: l.Name, Read: l.Held - l.Behind, Held: l.Held, Capacity: l.Capacity, LastError: l.LastError,
		})
		log := api.LogStatus{Kind: l.Kind.String(), Log: l.Log, LastRead: l.Looked, AtMeter: &api.LogAtMeter{
			Name: l.Name, Looked: l.Looked, Held: l.Held, Capacity: l.Capacity, Last: l.Last, Behind: l.Behind,
		}}
		if l.LastError != "" {
			log.Trouble = &api.Trouble{Text: l.LastError, Do: fieldAdvice(l.LastError), Since: l.ErrorAt, Next: s.NextDue}
		}
		out.Logs = append(out.Logs, log)
	}
	if s.ErrorSince > 0 {
		out.LastError, out.ErrorSince = s.LastError, s.ErrorSince
		out.Trouble = &api.Trouble{Text: s.LastError, Do: fieldAdvice(s.LastError), Since: s.ErrorSince, Next: s.NextDue}
	}
	switch {
	case s.State == "unreachable":
		out.State = "unreachable"
	case !s.Enabled:
		out.State = "paused"
	case s.Action != "":
		out.State = "retrieving"
	case s.State == "starting":
		out.State = "reading"
	default:
		out.State = "idle"
	}
	return out
}

func latest(l retrieve.Live) *api.Realtime {
	out := &api.Realtime{MeterUID: l.Meter, Time: l.At, Values: []api.RealtimeValue{}}
	for _, r := range l.Readings {
		if r.Channel != "" && r.Quality == device.Good && !math.IsNaN(r.Value) {
			out.Values = append(out.Values, api.RealtimeValue{Key: r.Channel, Unit: r.Unit, Value: api.Value(r.Value)})
		}
	}
	return out
}

// fieldAdvice says what somebody should do about an error of retrieval. It goes by the words of
// the error, which is all that is left of it after a restart.
func fieldAdvice(text string) string {
	for _, a := range []struct{ has, do string }{
		{retrieve.ErrLogBusy.Error(), "Nothing, if another program is reading the meter: the meter lets go after five minutes of rest. Else end that program."},
		{retrieve.ErrNoRepeat.Error(), "Connect to another port of the meter, without a converter between, or do without waveforms: the other logs are read. It is asked once a day."},
		{logdb.ErrFull.Error(), "Make room on the disk of the data folder. The records wait in the meter's memory."},
		{retrieve.ErrStored.Error(), "The log database does not answer as it should: run verify, and look into the program's log."},
		{modbus.ErrUnreachable.Error(), "Check the meter's power, its address and the network between: meter test NAME. It is tried again by itself."},
		{modbus.ErrTimeout.Error(), "The address answers, the meter does not: check its Modbus unit and what lies between (gateway, serial line): meter test NAME."},
		{modbus.ErrDesync.Error(), "Something else answers at this address, or a gateway mixes up answers: check the address, and that nobody else uses the connection."},
		{poll.ErrIdentity.Error(), "Another device stands at this address: correct the address, or remove the meter and add the new one."},
		{device.ErrNotSunSpec.Error(), "Another device stands at this address: correct the address, or remove the meter and add the new one."},
		{retrieve.ErrShifted.Error(), "Nothing: the meter wrote while it was read. It is read again."},
		{retrieve.ErrSessionLost.Error(), "Nothing: the meter ended the session. Retrieval goes on where it stood."},
		{retrieve.ErrNotReady.Error(), "Nothing at first: the meter is slow. If it stays so, restart its communication."},
		{"device busy", "Nothing: the meter is busy, and is asked again."},
		{"gateway", "The gateway does not reach the meter: check the serial line and the unit number."},
		{"exception", "The meter refuses a request: check that the profile fits its type and firmware (meter show NAME)."},
	} {
		if strings.Contains(text, a.has) {
			return a.do
		}
	}
	return "It is tried again by itself; if it stays so, the program's log tells more."
}
