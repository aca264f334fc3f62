package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"metermanager/rpc/api"
	"metermanager/rpc/fault"
	"metermanager/service/field/discover"
	"metermanager/service/field/modbus"
)

type meterRegistersCmd struct {
	remote
	output
	Meter   string        `arg:"" optional:"" help:"Name, serial or UID of a meter of the service."`
	Address string        `placeholder:"ADDR" help:"Talk to a meter directly, without a service: tcp://HOST:PORT, rtu+tcp://HOST:PORT or serial:PORT?baud=19200&parity=e&stop=1."`
	Unit    int           `default:"1" help:"With --address: Modbus unit (default: ${default})."`
	FC      int           `name:"fc" default:"3" help:"3: holding registers, 4: input registers (default: ${default})."`
	From    string        `default:"0" placeholder:"N" help:"First register as on the wire, counted from 0, such as 3000 or 0x0BB8 (default: ${default})."`
	Count   int           `default:"20" help:"How many, at most 500 (default: ${default})."`
	Timeout time.Duration `default:"30s" help:"With --address: how long it may take in all (default: ${default})."`
	Save    string        `placeholder:"FILE.json" help:"Make a profile of what --pick names."`
	Pick    []string      `sep:"none" placeholder:"PICK" help:"For --save: CHANNEL=ADDR:TYPE[:ORDER][*SCALE], such as readings.voltage.an=0x0BD3:f32:ABCD or energy.total.wh.received=52:s32:CDAB*100. May be given again."`
	Vendor  string        `default:"unknown" help:"For --save: maker of the meter."`
	Model   string        `default:"unknown" help:"For --save: its type."`
}

// Help shows an example.
func (meterRegistersCmd) Help() string {
	return `Examples: metermanager meter registers --address tcp://192.0.2.7 --fc 4 --from 0 --count 40
          metermanager meter registers --address tcp://192.0.2.7 --fc 4 --save acme.json --vendor Acme --model X1 \
              --pick readings.voltage.an=0:f32:ABCD --pick readings.power.watts=12:f32:ABCD

Every register is shown as a number and, with the next one, as a float in each byte order and an integer in both orders of words
(--json has 64-bit numbers and the other orders as well): compare them with the meter's display. Addresses count from 0, as on the wire: register 40001 of a manual is holding register 0, 30001 input
register 0. A profile made this way is marked as unverified.`
}

// Run shows the registers, or makes a profile.
func (c *meterRegistersCmd) Run(ctx context.Context, p *program) error {
	if c.Save != "" {
		return c.save(p)
	}
	if len(c.Pick) > 0 {
		return usageError{"--pick belongs to --save FILE.json"}
	}
	switch {
	case c.Address == "" && c.Meter == "":
		return usageError{"name a meter of the service, or give --address tcp://HOST:PORT"}
	case c.Address != "" && c.Meter != "":
		return usageError{"give either a meter of the service or --address"}
	case c.Address == "":
		return p.callMeter(ctx, &c.remote, api.CmdMeterRegisters, map[string]any{"meter": c.Meter, "addr": c.From, "count": c.Count, "fc": c.FC}, c.JSON)
	case c.Unit < 0 || c.Unit > 255:
		return usageError{fmt.Sprintf("--unit %d: want 0 to 255", c.Unit)}
	case c.FC != 3 && c.FC != 4:
		return usageError{fmt.Sprintf("--fc %d: want 3 (holding registers) or 4 (input registers)", c.FC)}
	}
	from, err := strconv.ParseUint(c.From, 0, 16)
	if err != nil {
		return usageError{fmt.Sprintf("--from %s: want 0 to 65535, or 0x0000 to 0xFFFF", c.From)}
	}
	address, err := modbus.ParseAddress(c.Address)
	if err != nil {
		return usageError{fmt.Sprintf("--address %q: %v", c.Address, err)}
	}
	look := discover.Look{FC: byte(c.FC), Addr: uint16(from), Count: c.Count}
	if err := look.Check(); err != nil {
		return usageError{"--count: " + err.Error()}
	}
	within, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	var list []api.Register
	err = modbus.With(within, address, modbus.Config{}, func(ctx context.Context, e *modbus.Endpoint) (err error) {
		list, err = discover.Registers(ctx, e.Unit(byte(c.Unit), modbus.UnitConfig{Retries: 1}), look)
		return err
	})
	switch {
	case errors.Is(err, discover.ErrRefused):
		return fault.Wrap(fault.Unavailable, "The meter refuses all of these registers.", err).WithHint(look.Advice())
	case err != nil:
		return fault.Wrap(fault.Unavailable, "The registers could not be read.", err).WithHint("Why it does not answer: metermanager meter doctor " + c.at())
	}
	r := api.Registers{Meter: c.Address, FC: c.FC, Registers: list}
	if c.JSON {
		return printJSON(p.stdout, r)
	}
	return p.showRegisters(r)
}

// showRegisters prints a line for each register. Refused ones that follow each other share one.
func (p *program) showRegisters(r api.Registers) error {
	t := newTable(">Register", "Hex", ">u16", ">s16", "Text", ">f32 ABCD", ">f32 CDAB", ">f32 BADC", ">f32 DCBA", ">s32 ABCD", ">s32 CDAB", "Note")
	for i := 0; i < len(r.Registers); i++ {
		x := r.Registers[i]
		at := fmt.Sprintf("%d 0x%04X", x.Addr, x.Addr)
		if x.Refused != "" {
			first := i
			for i+1 < len(r.Registers) && r.Registers[i+1].Refused == x.Refused {
				i++
			}
			if i > first {
				at += fmt.Sprintf(" to %d", r.Registers[i].Addr)
			}
			t.add(at, "", "", "", "", "", "", "", "", "", "", x.Refused)
			continue
		}
		cells := []string{at, x.Hex, fmt.Sprint(*x.U16), fmt.Sprint(*x.S16), x.Text}
		for _, o := range discover.Orders {
			if v, ok := x.F32[o]; ok {
				cells = append(cells, floatCell(float64(v)))
			} else {
				cells = append(cells, "")
			}
		}
		for _, o := range discover.Orders[:2] {
			if v, ok := x.S32[o]; ok {
				cells = append(cells, fmt.Sprint(v))
			} else {
				cells = append(cells, "")
			}
		}
		t.add(append(cells, "")...)
	}
	if err := t.write(p.stdout); err != nil {
		return err
	}
	_, err := fmt.Fprintln(p.stdout, "\nf32 and s32 take the register and the next one. --json has all types and orders.")
	return err
}

// floatCell leaves out numbers that no meter means.
func floatCell(v float64) string {
	if a := max(v, -v); a != 0 && (a < 1e-6 || a > 1e12) {
		return "."
	}
	return strconv.FormatFloat(v, 'g', 7, 64)
}

// at is how commands name the meter that was looked at.
func (c *meterRegistersCmd) at() string {
	at := "--address " + firstOf(c.Address, "ADDR")
	if c.Unit != 1 {
		at += fmt.Sprintf(" --unit %d", c.Unit)
	}
	return at
}

// save makes a profile of picked values.
func (c *meterRegistersCmd) save(p *program) error {
	var picks []discover.Pick
	for _, text := range c.Pick {
		k, err := discover.ParsePick(text)
		if err != nil {
			return usageError{fmt.Sprintf("--pick %s: %v", text, err)}
		}
		picks = append(picks, k)
	}
	if len(picks) == 0 {
		return usageError{"say what the profile holds: --pick readings.voltage.an=0x0BD3:f32:ABCD"}
	}
	id := strings.TrimSuffix(c.Save[strings.LastIndexAny(c.Save, `/\`)+1:], ".json")
	data, err := discover.Draft(id, c.Vendor, c.Model, byte(c.FC), picks)
	if err != nil {
		if strings.Contains(err.Error(), ": id ") {
			err = fmt.Errorf("%w; the name of the file is the id of the profile", err)
		}
		return usageError{fmt.Sprintf("--save %s: %v", c.Save, err)}
	}
	switch err := writeNew(c.Save, data); {
	case errors.Is(err, fs.ErrExist):
		return usageError{fmt.Sprintf("--save %s: there is such a file; take another name, or remove it first", c.Save)}
	case err != nil:
		return err
	}
	_, err = fmt.Fprintf(p.stdout, "Wrote %s with %s.\nTry it: metermanager meter test --profile %s %s\nThen add it to the service: metermanager meter profiles --add %s\n",
		c.Save, count(int64(len(picks)), "reading"), c.Save, c.at(), c.Save)
	return err
}

// showDraft prints a profile as its file would hold it.
func (p *program) showDraft(d api.ProfileDraft) error {
	_, err := fmt.Fprint(p.stdout, d.Profile)
	return err
}
