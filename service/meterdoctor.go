package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"metermanager/rpc/api"
	"metermanager/rpc/fault"
	"metermanager/service/field/doctor"
	"metermanager/service/field/modbus"
)

type meterDoctorCmd struct {
	remote
	output
	Meter   string        `arg:"" optional:"" help:"Name, serial or UID of a meter of the service; all connections and their meters without it."`
	Examine bool          `help:"Also ask the meter until it is known why it does not answer: another unit, another transport, the registers beside. It only reads."`
	Address string        `placeholder:"ADDR" help:"Examine what is at an address, without a service: tcp://HOST:PORT, rtu+tcp://HOST:PORT or serial:PORT?baud=19200&parity=e&stop=1."`
	Unit    int           `default:"1" help:"With --address: Modbus unit (default: ${default})."`
	Profile string        `placeholder:"NAME" help:"With --address: profile that the meter should have, or a profile's file NAME.json."`
	Timeout time.Duration `default:"60s" help:"With --address: how long it may take in all (default: ${default})."`
}

// Help shows examples.
func (meterDoctorCmd) Help() string {
	return "Examples: metermanager meter doctor\n          metermanager meter doctor main-incomer --examine\n          metermanager meter doctor --address tcp://192.0.2.7:502 --profile abb-b23"
}

// Run shows how well meters answer, and why one does not.
func (c *meterDoctorCmd) Run(ctx context.Context, p *program) error {
	switch {
	case c.Address == "":
		return p.callMeter(ctx, &c.remote, api.CmdMeterDoctor, map[string]any{"meter": c.Meter, "examine": c.Examine}, c.JSON)
	case c.Meter != "":
		return usageError{"give either a meter of the service or --address"}
	case c.Unit < 0 || c.Unit > 255:
		return usageError{fmt.Sprintf("--unit %d: want 0 to 255", c.Unit)}
	}
	address, err := modbus.ParseAddress(c.Address)
	if err != nil {
		return usageError{fmt.Sprintf("--address %q: %v", c.Address, err)}
	}
	patient := doctor.Patient{Address: address, Unit: byte(c.Unit)}
	if c.Profile != "" {
		profiles, id, err := profilesWith(c.Profile)
		if err != nil {
			return err
		}
		patient.Profile, _ = profiles.Get(id)
	}
	within, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	var f doctor.Finding
	err = modbus.With(within, address, modbus.Config{}, func(ctx context.Context, e *modbus.Endpoint) (err error) {
		f, err = doctor.Examine(ctx, e, patient)
		return err
	})
	if err != nil {
		return fault.Wrap(fault.Unavailable, "It could not be found out.", err)
	}
	finding := api.Finding(f)
	out := api.Doctor{Lines: []api.LineHealth{}, Examined: &finding}
	if c.JSON {
		return printJSON(p.stdout, out)
	}
	return p.showDoctor(out)
}

// showDoctor prints a paragraph for each connection.
func (p *program) showDoctor(d api.Doctor) error {
	now := time.Now()
	for i, l := range d.Lines {
		if i > 0 {
			fmt.Fprintln(p.stdout)
		}
		state := "connected"
		switch {
		case l.Next > 0:
			state = "cannot be reached, tried again " + age(l.Next, now)
		case !l.Connected:
			state = "not connected"
		}
		fmt.Fprintf(p.stdout, "%s: %s; %s\n\n", addressText(l.Address), state, trafficText(l.Traffic))
		t := newTable("Meter", ">Unit", "Last answer", ">Answered", ">No answer", ">Refused", ">Spoiled", ">Mean", ">Longest", ">In time", "Finding")
		for _, u := range l.Units {
			t.add(u.Name, fmt.Sprint(u.Unit), age(u.LastOK, now), grouped(u.Traffic.OK), grouped(u.Traffic.Timeouts+u.Traffic.Unreachable), grouped(refusals(u.Traffic)),
				grouped(u.Traffic.CRCErrors+u.Traffic.Desyncs), millisText(u.Traffic.MeanMS), millisText(u.Traffic.MaxMS), share(u.Kept, u.Kept+u.Missed), findingWord(u.Finding))
		}
		if err := t.write(p.stdout); err != nil {
			return err
		}
		for _, u := range l.Units {
			if u.Finding.Fault != doctor.FaultNone {
				fmt.Fprintf(p.stdout, "\n%s: %s", u.Name, findingText(u.Finding))
			}
		}
		if len(l.Units) == 1 {
			p.histogram(l.Units[0])
		}
	}
	if len(d.Lines) == 0 && d.Examined == nil {
		fmt.Fprintln(p.stdout, "No meter is read here. Add one: metermanager meter add NAME tcp://HOST:PORT, or look for some: metermanager meter discover 192.168.1.0/24")
	}
	if d.Examined != nil {
		if len(d.Lines) > 0 {
			fmt.Fprint(p.stdout, "\nExamined: ")
		}
		fmt.Fprint(p.stdout, findingText(*d.Examined))
	}
	return nil
}

func findingText(f api.Finding) string {
	return strings.TrimSpace(f.Text+"\n  "+f.Try) + "\n"
}

func findingWord(f api.Finding) string {
	if f.Fault == doctor.FaultNone {
		return "well"
	}
	return strings.ReplaceAll(f.Fault, "_", " ") + ": see below"
}

func refusals(t api.Traffic) (n int64) {
	for _, v := range t.Exceptions {
		n += v
	}
	return n
}

func trafficText(t api.Traffic) string {
	out := fmt.Sprintf("%s, %s answered", count(t.Requests, "request"), grouped(t.OK))
	for _, x := range slices.Sorted(maps.Keys(t.Exceptions)) {
		out += fmt.Sprintf(", %s times %s", grouped(t.Exceptions[x]), x)
	}
	if t.Foreign > 0 {
		out += fmt.Sprintf(", %s answers that were late or of others", grouped(t.Foreign))
	}
	return out
}

func millisText(ms float64) string {
	if ms == 0 {
		return ""
	}
	return fmt.Sprintf("%.1f ms", ms)
}

func share(part, all int64) string {
	if all == 0 {
		return ""
	}
	return fmt.Sprintf("%.1f %%", 100*float64(part)/float64(all))
}

// histogram draws how long one meter's answers took.
func (p *program) histogram(u api.UnitHealth) {
	most := int64(0)
	for _, c := range u.Traffic.Latencies {
		most = max(most, c.Count)
	}
	if most == 0 {
		return
	}
	fmt.Fprintf(p.stdout, "\nAnswers by how long they took (it may take %s):\n", shortDuration(time.Duration(u.TimeoutMS)*time.Millisecond))
	for _, c := range u.Traffic.Latencies {
		label := "longer"
		if c.UpToMS > 0 {
			label = fmt.Sprintf("up to %s", shortDuration(time.Duration(c.UpToMS)*time.Millisecond))
		}
		bar := int(c.Count * 40 / most)
		if c.Count > 0 && bar == 0 {
			bar = 1
		}
		fmt.Fprintln(p.stdout, strings.TrimRight(fmt.Sprintf("  %-12s %10s  %s", label, grouped(c.Count), strings.Repeat("█", bar)), " "))
	}
}
