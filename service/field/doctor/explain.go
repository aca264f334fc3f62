package doctor

import (
	"fmt"
	"strings"
	"time"

	"metermanager/service/field/modbus"
)

// Finding is what is wrong, in a sentence, and what to try.
type Finding struct {
	Fault string `json:"fault"` // one of the faults below, for programs
	Text  string `json:"text"`
	Try   string `json:"try,omitempty"`
}

// The faults.
const (
	FaultNone        = "none"
	FaultUnreachable = "unreachable"
	FaultOneMaster   = "one_master"
	FaultTransport   = "transport"
	FaultUnit        = "unit"
	FaultSilent      = "silent"
	FaultGateway     = "gateway"
	FaultLine        = "line"
	FaultMixedUp     = "mixed_up_answers"
	FaultRefused     = "refused"
	FaultOffByOne    = "off_by_one"
	FaultWordOrder   = "word_order"
	FaultProfile     = "profile"
	FaultSlow        = "slow"
	FaultBusy        = "busy"
)

// Facts are what is known of a unit without asking it.
type Facts struct {
	Unit        int
	Address     string
	Counters    modbus.Counters // of the unit
	SilentSince time.Time       // while others at the address answer
	Others      int             // other units at the address that answered
	Timeout     time.Duration
}

// rtu reports whether the frames are those of a serial line.
func (f Facts) rtu() bool {
	return strings.HasPrefix(f.Address, "rtu+tcp:") || strings.HasPrefix(f.Address, "serial:")
}

// slowShare is how much of the time for an answer it may take on average before it is called slow.
const slowShare = 0.5

// Explain says what the counters of a unit mean. What it says last was seen last: a meter that answers now has no fault but
// those of its line.
func Explain(f Facts) Finding {
	c := f.Counters
	down := c.LastErrorAt.After(c.LastOK)
	answered := c.OK
	for _, n := range c.Exceptions {
		answered += n
	}
	bad := c.Timeouts + c.Desyncs + c.CRCErrors
	switch {
	case c.Requests == 0:
		return Finding{FaultNone, "It was not asked yet.", ""}
	case down && strings.Contains(c.LastError, modbus.ErrUnreachable.Error()):
		return unreachable(f, c.LastError)
	case down && strings.Contains(c.LastError, modbus.GatewayTarget.Error()), down && strings.Contains(c.LastError, modbus.GatewayPath.Error()):
		return Finding{FaultGateway, fmt.Sprintf("The gateway at %s answers, but does not reach unit %d.", f.Address, f.Unit),
			"Check the meter's supply, the two wires and their polarity, the baud rate and parity of the gateway, and the unit number in the meter."}
	case down && !f.SilentSince.IsZero():
		return Finding{FaultSilent, fmt.Sprintf("Unit %d is silent since %s, while %s at this address answer.", f.Unit, at(f.SilentSince), others(f.Others)),
			"Check this meter's supply, its wires and its unit number; the line and the gateway are well."}
	case down && c.CRCErrors > 0 && c.CRCErrors*4 > bad:
		return Finding{FaultLine, fmt.Sprintf("%d of %d answers came spoiled.", c.CRCErrors, c.CRCErrors+answered),
			"Check baud rate and parity, the terminating resistors at both ends, the shield, and that no two meters have the same unit number."}
	case down && strings.Contains(c.LastError, modbus.ErrDesync.Error()) && answered == 0 && !f.rtu():
		return Finding{FaultTransport, "What answers does not speak Modbus TCP.",
			"If a converter stands there that passes serial frames on as they are, write the address with rtu+tcp:// before it."}
	case down && strings.Contains(c.LastError, modbus.ErrDesync.Error()):
		return Finding{FaultMixedUp, "Answers come that fit no request.", "End other programs that use the same converter or line: it takes one master."}
	case down && strings.Contains(c.LastError, modbus.ErrTimeout.Error()):
		return silent(f, answered)
	case down && strings.Contains(c.LastError, modbus.Busy.Error()):
		return Finding{FaultBusy, "The meter says that it is busy.", "Nothing at first; if it stays so, end other programs that read it, or ask it less often."}
	case down && len(c.Exceptions) > 0:
		return Finding{FaultRefused, "The meter refuses a request: " + lastPart(c.LastError) + ".", "Check that the profile fits the meter's type and firmware: meter registers shows what it has."}
	case c.CRCErrors > 0 && c.CRCErrors*100 > answered:
		return Finding{FaultLine, fmt.Sprintf("It answers, but %d answers came spoiled, one in %d.", c.CRCErrors, (answered+c.CRCErrors)/c.CRCErrors),
			"Check the terminating resistors, the shield and the length of the line."}
	case c.Timeouts > 0 && c.Timeouts*20 > answered:
		return Finding{FaultSlow, fmt.Sprintf("It answers, but %d of %d requests had no answer in time.", c.Timeouts, c.Requests),
			"Look at the latencies: a slow meter needs a longer time-out or pauses (timeout_ms, request_delay_ms of its profile); a line with many units, longer intervals."}
	case c.UnknownUnit+c.Late > 0 && (c.UnknownUnit+c.Late)*100 > answered:
		return Finding{FaultMixedUp, fmt.Sprintf("It answers, but %d answers were of another unit or too late.", c.UnknownUnit+c.Late),
			"See that no other program uses the same converter or line, and that no two meters have the same unit number."}
	case answered > 0 && f.Timeout > 0 && float64(c.LatencySum)/float64(answered) > slowShare*float64(f.Timeout):
		return Finding{FaultSlow, fmt.Sprintf("It answers after %s on average, of %s that it may take.", (c.LatencySum / time.Duration(answered)).Round(time.Millisecond), f.Timeout),
			"Give it more time (timeout_ms of its profile) before it misses answers."}
	}
	return Finding{FaultNone, "It answers as it should.", ""}
}

func unreachable(f Facts, why string) Finding {
	text := fmt.Sprintf("Nothing can be reached at %s.", f.Address)
	try := "Check the supply and the network cable of the device, its address and port, and firewalls between."
	switch {
	case strings.HasPrefix(f.Address, "serial:"):
		text = fmt.Sprintf("The serial port cannot be used: %s.", lastPart(why))
		try = "Check the name of the port, that the adapter is plugged in, that this service may open it, and that no other program has it open."
	case strings.Contains(why, "refused"):
		text = fmt.Sprintf("The device at %s refuses the connection.", f.Address)
		try = "Check the port, and that Modbus TCP is switched on in the device. Some take one connection only: end other programs that read it."
	case hungUp(why):
		return oneMaster(f.Address)
	case strings.Contains(why, "timeout") || strings.Contains(why, "no route") || strings.Contains(why, "deadline"):
		text = fmt.Sprintf("Nobody answers at %s: the device is off, or the network does not lead there.", f.Address)
	case strings.Contains(why, "no such host"):
		text = fmt.Sprintf("The name in %s is not known.", f.Address)
		try = "Check how it is written, or give the IP address."
	}
	return Finding{FaultUnreachable, text, try}
}

func hungUp(why string) bool {
	return strings.Contains(why, "EOF") || strings.Contains(why, "reset by peer") || strings.Contains(why, "closed inside")
}

func oneMaster(address string) Finding {
	return Finding{FaultOneMaster, fmt.Sprintf("The device at %s takes the connection and closes it at once.", address),
		"It probably takes one master only, and another program has it: end that, or read the meter through it."}
}

func silent(f Facts, answered int64) Finding {
	switch {
	case answered > 0:
		return Finding{FaultSilent, fmt.Sprintf("Unit %d answered until %s and is silent now; the address takes the connection.", f.Unit, at(f.Counters.LastOK)),
			"Check the meter's supply and the line behind the gateway."}
	case f.Others > 0:
		return Finding{FaultUnit, fmt.Sprintf("Unit %d never answered, while %s at this address do.", f.Unit, others(f.Others)), "Check the unit number in the meter."}
	}
	return Finding{FaultSilent, fmt.Sprintf("%s takes the connection, but unit %d never answered.", f.Address, f.Unit),
		"Check the unit number, the transport (tcp or rtu+tcp), and on a serial line baud rate and parity. meter doctor --examine tries them."}
}

func others(n int) string {
	if n == 1 {
		return "1 other unit"
	}
	return fmt.Sprintf("%d other units", n)
}

func at(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05Z") }

// lastPart is the innermost reason of an error's text.
func lastPart(s string) string {
	if i := strings.LastIndex(s, ": "); i >= 0 {
		return s[i+2:]
	}
	return s
}
