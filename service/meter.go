package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"time"

	"metermanager/rpc/api"
	"metermanager/rpc/fault"
	"metermanager/service/field/device"
	"metermanager/service/field/modbus"
	"metermanager/service/field/retrieve"
)

// meterCmd manages the meters of a running service.
type meterCmd struct {
	Add       meterAddCmd       `cmd:"" help:"Add a meter; it is talked to first."`
	List      meterListCmd      `cmd:"" help:"List meters with their state."`
	Show      meterShowCmd      `cmd:"" help:"Show one meter: settings, logs, schedule, state."`
	Status    meterStatusCmd    `cmd:"" help:"Show how far each log of a meter has come: at the meter, here, at each cloud."`
	Remove    meterRemoveCmd    `cmd:"" help:"Take a meter off the list; its data stay."`
	Test      meterTestCmd      `cmd:"" help:"Talk to a meter and tell what answers; needs no service with --address."`
	Profiles  meterProfilesCmd  `cmd:"" help:"List the types of meters that are known, or print one as a file to copy and edit."`
	Read      meterReadCmd      `cmd:"" help:"Read present values from a meter."`
	Retrieve  meterRetrieveCmd  `cmd:"" help:"Retrieve new log records now."`
	Set       meterSetCmd       `cmd:"" help:"Change one setting of a meter."`
	Discover  meterDiscoverCmd  `cmd:"" help:"Look for meters on the network or on a serial line."`
	Registers meterRegistersCmd `cmd:"" help:"Show raw registers of a meter in all byte orders, and make a profile of them."`
	Doctor    meterDoctorCmd    `cmd:"" help:"Say how well meters and their lines answer, and why one does not."`
	Instruct  meterInstructCmd  `cmd:"" help:"Leave instructions for a meter that only calls out: what to post, settings, a command."`
	Redecode  meterRedecodeCmd  `cmd:"" help:"Decode a meter's kept records again by its zone, profile and ratio factors of now."`
}

// output is the one option that every command has which prints data.
type output struct {
	JSON bool `name:"json" help:"Print the result as JSON."`
}

// callMeter calls a command of the service and prints its result.
func (p *program) callMeter(ctx context.Context, r *remote, name string, args map[string]any, asJSON bool) error {
	command, ok := api.LookupCommand(name)
	if !ok {
		return fault.Newf(fault.NotFound, "There is no command %q.", name)
	}
	for key, v := range args {
		if v == "" || v == 0 {
			delete(args, key)
		}
	}
	c, done, err := r.connect(ctx, p, command.Permission)
	if err != nil {
		return err
	}
	defer done()
	var result json.RawMessage
	if err := c.Call(ctx, name, args, &result); err != nil {
		return err
	}
	if asJSON {
		return printJSON(p.stdout, result)
	}
	return p.show(name, result)
}

type meterAddCmd struct {
	remote
	output
	Name    string `arg:"" help:"Name shown to people."`
	Address string `arg:"" optional:"" help:"tcp://HOST:PORT, rtu+tcp://HOST:PORT (a serial line behind a transparent gateway), or serial:PORT?baud=19200&parity=e&stop=1."`
	Found   int    `placeholder:"NUMBER" help:"Instead of an address: number of a device that meter discover has found."`
	Unit    int    `default:"1" help:"Modbus unit (default: ${default})."`
	Profile string `placeholder:"NAME" help:"Profile of the meter, such as eig-shark-200; meter profiles lists them (default: found out)."`
	Zone    string `placeholder:"ZONE" help:"IANA time zone of the meter's clock (default: UTC)."`
	Serial  string `placeholder:"TEXT" help:"Serial number on the plate of a meter that does not tell it (default: one is made up)."`
}

// Help shows an example.
func (meterAddCmd) Help() string {
	return "Example: metermanager meter add main-incomer tcp://192.0.2.7:502 --profile eig-shark-200 --zone Europe/Berlin"
}

// Run adds the meter.
func (c *meterAddCmd) Run(ctx context.Context, p *program) error {
	switch {
	case c.Address == "" && c.Found == 0:
		return usageError{"give the meter's address, or --found NUMBER after meter discover"}
	case c.Address != "" && c.Found != 0:
		return usageError{"give either an address or --found"}
	case c.Found != 0:
		f, err := p.found(ctx, &c.remote, c.Found)
		if err != nil {
			return err
		}
		c.Address, c.Unit = addressText(f.Address), f.Unit
		if c.Profile == "" {
			c.Profile = f.Profile
		}
	}
	return p.callMeter(ctx, &c.remote, api.CmdMeterAdd, map[string]any{
		"name": c.Name, "address": c.Address, "unit": c.Unit, "profile": c.Profile, "zone": c.Zone, "serial": c.Serial,
	}, c.JSON)
}

type meterListCmd struct {
	remote
	output
}

// Help shows an example.
func (meterListCmd) Help() string { return "Example: metermanager meter list --json" }

// Run lists the meters.
func (c *meterListCmd) Run(ctx context.Context, p *program) error {
	return p.callMeter(ctx, &c.remote, api.CmdMeterList, nil, c.JSON)
}

// oneMeter is a command about one meter.
type oneMeter struct {
	remote
	output
	Meter string `arg:"" help:"Name, serial or UID."`
}

type meterShowCmd struct{ oneMeter }

// Help shows an example.
func (meterShowCmd) Help() string { return "Example: metermanager meter show main-incomer" }

// Run shows the meter.
func (c *meterShowCmd) Run(ctx context.Context, p *program) error {
	return p.callMeter(ctx, &c.remote, api.CmdMeterShow, map[string]any{"meter": c.Meter}, c.JSON)
}

type meterStatusCmd struct{ oneMeter }

// Help shows an example.
func (meterStatusCmd) Help() string { return "Example: metermanager meter status main-incomer" }

// Run shows how far the logs have come.
func (c *meterStatusCmd) Run(ctx context.Context, p *program) error {
	return p.callMeter(ctx, &c.remote, api.CmdMeterStatus, map[string]any{"meter": c.Meter}, c.JSON)
}

type meterRemoveCmd struct{ oneMeter }

// Help shows an example.
func (meterRemoveCmd) Help() string { return "Example: metermanager meter remove main-incomer" }

// Run removes the meter.
func (c *meterRemoveCmd) Run(ctx context.Context, p *program) error {
	return p.callMeter(ctx, &c.remote, api.CmdMeterRemove, map[string]any{"meter": c.Meter}, c.JSON)
}

type meterSetCmd struct {
	oneMeter
	Name  string `arg:"" help:"Setting: name, address, unit, zone, nominal_volts, nominal_hz, ct_factor, pt_factor, enabled, schedule, live_s, log_s, limit.1 to limit.8, cloud.meter.enabled ..."`
	Value string `arg:"" help:"The new value."`
}

// Help shows an example.
func (meterSetCmd) Help() string {
	return "Example: metermanager meter set main-incomer zone America/Chicago\n         metermanager meter set main-incomer limit.1 'readings.voltage.an above 250 back 248'\n\n" +
		"After a change of the zone, or of the factors for transformer ratios that the meter has wrong, every kept record is decoded again: " +
		"what differs gets a new version, here and at the clouds; the old one stays in history."
}

// Run changes the setting.
func (c *meterSetCmd) Run(ctx context.Context, p *program) error {
	return p.callMeter(ctx, &c.remote, api.CmdMeterSet, map[string]any{"meter": c.Meter, "name": c.Name, "value": c.Value}, c.JSON)
}

type meterRedecodeCmd struct {
	oneMeter
	DryRun bool `name:"dry-run" help:"Only count what would change."`
}

// Help shows an example.
func (meterRedecodeCmd) Help() string {
	return "Example: metermanager meter redecode main-incomer --dry-run"
}

// Run decodes the kept records again.
func (c *meterRedecodeCmd) Run(ctx context.Context, p *program) error {
	return p.callMeter(ctx, &c.remote, api.CmdMeterRedecode, map[string]any{"meter": c.Meter, "dry_run": c.DryRun}, c.JSON)
}

type meterReadCmd struct{ oneMeter }

// Help shows an example.
func (meterReadCmd) Help() string { return "Example: metermanager meter read main-incomer" }

// Run reads the meter.
func (c *meterReadCmd) Run(ctx context.Context, p *program) error {
	return p.callMeter(ctx, &c.remote, api.CmdMeterRead, map[string]any{"meter": c.Meter}, c.JSON)
}

type meterRetrieveCmd struct {
	remote
	output
	Meter string `arg:"" optional:"" help:"Name, serial or UID; all meters without it."`
	Kind  string `placeholder:"LOG" help:"Only this log: historical, waveform, system, limits or pq."`
}

// Help shows an example.
func (meterRetrieveCmd) Help() string { return "Example: metermanager meter retrieve main-incomer" }

// Run retrieves the logs.
func (c *meterRetrieveCmd) Run(ctx context.Context, p *program) error {
	return p.callMeter(ctx, &c.remote, api.CmdMeterRetrieve, map[string]any{"meter": c.Meter, "kind": c.Kind}, c.JSON)
}

type meterTestCmd struct {
	remote
	output
	Meter   string        `arg:"" optional:"" help:"Name, serial or UID of a meter of the service."`
	Address string        `placeholder:"ADDR" help:"Talk to a meter directly, without a service: tcp://HOST:PORT, rtu+tcp://HOST:PORT or serial:PORT?baud=19200&parity=e&stop=1."`
	Unit    int           `default:"1" help:"With --address: Modbus unit (default: ${default})."`
	Profile string        `placeholder:"NAME" help:"With --address: profile of the meter, or a profile's file NAME.json (default: found out)."`
	Timeout time.Duration `default:"10s" help:"With --address: how long it may take in all (default: ${default})."`
}

// Help shows an example.
func (meterTestCmd) Help() string {
	return "Example: metermanager meter test --address tcp://192.0.2.7:502 --profile eig-shark-200\n\nExit code 3 when nothing answers."
}

// Run tests the meter.
func (c *meterTestCmd) Run(ctx context.Context, p *program) error {
	switch {
	case c.Address == "" && c.Meter == "":
		return usageError{"name a meter of the service, or give --address tcp://HOST:PORT"}
	case c.Address == "":
		return p.callMeter(ctx, &c.remote, api.CmdMeterTest, map[string]any{"meter": c.Meter}, c.JSON)
	case c.Meter != "":
		return usageError{"give either a meter of the service or --address"}
	case c.Unit < 1 || c.Unit > 247:
		return usageError{fmt.Sprintf("--unit %d: want 1 to 247", c.Unit)}
	}
	profiles, id, err := profilesWith(c.Profile)
	if err != nil {
		return err
	}
	if _, err := modbus.ParseAddress(c.Address); err != nil {
		return usageError{fmt.Sprintf("--address %q: %v", c.Address, err)}
	}
	within, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	found, err := retrieve.Test(within, profiles, c.Address, byte(c.Unit), id, modbus.Config{})
	if err != nil && ctx.Err() == nil {
		return fault.Wrap(fault.Unavailable, "No meter answered as expected.", err).WithHint("Check address, unit and profile.")
	}
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(p.stdout, testDocument(found))
	}
	return p.showTested(testDocument(found))
}

// testReading is one present value of a tested meter.
type testReading struct {
	device.Reading
	Value api.Value `json:"value"`
}

// testAnswer is what a test found.
type testAnswer struct {
	Profile  string          `json:"profile"`
	Make     string          `json:"make"`
	Type     string          `json:"type"`
	Name     string          `json:"name,omitempty"`
	Serial   string          `json:"serial"`
	Firmware string          `json:"firmware,omitempty"`
	TookMS   int64           `json:"took_ms"`
	Modbus   modbus.Counters `json:"modbus"`
	Readings []testReading   `json:"readings"`
}

func testDocument(r retrieve.TestResult) testAnswer {
	out := testAnswer{
		Profile: r.Profile, Make: r.Identity.Make, Type: r.Identity.Model, Name: r.Identity.Name, Serial: r.Identity.Serial,
		Firmware: r.Identity.Firmware, TookMS: r.Took.Milliseconds(), Modbus: r.Counters,
	}
	for _, x := range r.Readings {
		v := x.Value
		if x.Text != "" {
			v = math.NaN()
		}
		out.Readings = append(out.Readings, testReading{x, api.Value(v)})
	}
	return out
}
