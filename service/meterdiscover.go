package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"metermanager/rpc/api"
	"metermanager/rpc/client"
	"metermanager/rpc/fault"
)

type meterDiscoverCmd struct {
	remote
	output
	Ranges []string `arg:"" optional:"" placeholder:"HOSTS" help:"Hosts such as 192.168.1.0/24, 192.168.1.10-20 or 192.168.1.7; at most 1,024."`
	Line   []string `placeholder:"ADDR" help:"A gateway or serial line of which every unit is asked: tcp://HOST:PORT, rtu+tcp://HOST:PORT or serial:PORT?baud=19200&parity=e&stop=1. May be given again."`
	Port   []int    `placeholder:"N" help:"Port of the hosts (default: 502). May be given again."`
	Units  string   `placeholder:"LIST" help:"Modbus units such as 1-20,247 (default: 1, 255 and 0 of a host, 1 to 247 of a line)."`
	Public bool     `help:"Also addresses that are not private."`
	Last   bool     `help:"Show what the last scan has found, without another."`
}

// Help shows examples.
func (meterDiscoverCmd) Help() string {
	return `Examples: metermanager meter discover 192.168.1.0/24
          metermanager meter discover --line 'serial:/dev/ttyUSB0?baud=9600' --units 1-32

It only reads, one connection at a time to each host, and leaves out the hosts of meters that are on the list. What is
found is shown as it answers; add one with: metermanager meter add NAME --found NUMBER`
}

// scanPoll is how often a scan under way is asked how far it has come.
const scanPoll = 200 * time.Millisecond

// Run scans, or shows the last scan.
func (c *meterDiscoverCmd) Run(ctx context.Context, p *program) error {
	if c.Last {
		return p.callMeter(ctx, &c.remote, api.CmdMeterDiscovered, nil, c.JSON)
	}
	if len(c.Ranges)+len(c.Line) == 0 {
		return usageError{"say where to look: hosts such as 192.168.1.0/24, or --line serial:/dev/ttyUSB0; or --last for what was found before"}
	}
	command, _ := api.LookupCommand(api.CmdMeterDiscover)
	client, done, err := c.connect(ctx, p, command.Permission)
	if err != nil {
		return err
	}
	defer done()
	args := map[string]any{
		"ranges": strings.Join(c.Ranges, ","), "lines": strings.Join(c.Line, ","), "units": c.Units, "public": c.Public,
		"ports": strings.Trim(strings.ReplaceAll(fmt.Sprint(c.Port), " ", ","), "[]"),
	}
	var d api.Discovery
	if err := client.Call(ctx, api.CmdMeterDiscover, args, &d); err != nil {
		return err
	}
	if d, err = p.follow(ctx, client, d, !c.JSON); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(p.stdout, d)
	}
	return p.showDiscovery(d)
}

// follow shows devices as they answer until the scan has ended. Who interrupts it ends the scan.
func (p *program) follow(ctx context.Context, c *client.Client, d api.Discovery, tell bool) (api.Discovery, error) {
	told := map[string]bool{}
	line := newProgress(p.stderr)
	if tell {
		long := ""
		if d.AtMostMS > 5000 {
			long = fmt.Sprintf(", which may take %s", shortDuration(time.Duration(d.AtMostMS)*time.Millisecond))
		}
		fmt.Fprintf(p.stderr, "Looking at %s%s. Ctrl-C ends it.\n", count(int64(d.Addresses), "address"), long)
	}
	for {
		for _, f := range d.Found {
			key := fmt.Sprint(f.Address, " unit ", f.Unit)
			if told[key] || !tell {
				continue
			}
			told[key] = true
			line.clear()
			fmt.Fprintf(p.stderr, "%s: %s\n", key, describe(f))
		}
		if d.State != "running" {
			line.clear()
			return d, nil
		}
		if tell {
			line.say("%d of %s tried, %d open, %s found", d.Done, count(int64(d.Addresses), "address"), d.Open, count(int64(len(d.Found)), "device"))
		}
		select {
		case <-time.After(scanPoll):
		case <-ctx.Done():
			line.clear()
			stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			if err := c.Call(stopCtx, api.CmdMeterDiscoverStop, nil, &d); err != nil {
				return d, err
			}
			return d, ctx.Err()
		}
		if err := c.Call(ctx, api.CmdMeterDiscovered, nil, &d); err != nil && ctx.Err() == nil {
			return d, err
		}
	}
}

// describe says in a line what a device is.
func describe(f api.Discovered) string {
	switch {
	case f.Listed != "":
		return f.Listed + ", on the list"
	case f.Profile != "":
		return strings.TrimSpace(f.Make+" "+f.Model) + ", serial " + firstOf(f.Serial, "not told")
	}
	return strings.Join(nonEmpty(strings.TrimSpace(f.Make+" "+f.Model), f.Note), ", ")
}

func nonEmpty(list ...string) (out []string) {
	for _, s := range list {
		if s != "" {
			out = append(out, s)
		}
	}
	return out
}

// showDiscovery prints what a scan has found, with the numbers by which meter add takes it.
func (p *program) showDiscovery(d api.Discovery) error {
	if d.State == "none" {
		_, err := fmt.Fprintln(p.stdout, "There was no scan yet. Begin one: metermanager meter discover 192.168.1.0/24")
		return err
	}
	fmt.Fprintf(p.stdout, "%s tried, %d open, %s found", count(int64(d.Done), "address"), d.Open, count(int64(len(d.Found)), "device"))
	if d.Skipped > 0 {
		fmt.Fprintf(p.stdout, ", %s of the list left out", count(int64(d.Skipped), "address"))
	}
	if d.State != "done" {
		fmt.Fprintf(p.stdout, " (%s)", firstOf(d.Error, d.State))
	}
	fmt.Fprintln(p.stdout)
	if len(d.Found) == 0 {
		if d.State == "done" && d.Skipped < d.Done {
			fmt.Fprintln(p.stdout, "Nothing answers there. Check the range and the port; a serial line or a gateway with several meters is scanned with --line.")
		}
		return nil
	}
	fmt.Fprintln(p.stdout)
	t := newTable(">", "Address", ">Unit", "Make", "Model", "Serial", "Profile", "Note")
	for i, f := range d.Found {
		profile, note := f.Profile, f.Note
		if len(f.Profiles) > 0 {
			profile = strings.Join(f.Profiles, " or ")
		}
		if f.Listed != "" {
			note = "on the list: " + f.Listed
		}
		t.add(fmt.Sprint(i+1), f.Address, fmt.Sprint(f.Unit), f.Make, f.Model, f.Serial, profile, note)
	}
	if err := t.write(p.stdout); err != nil {
		return err
	}
	_, err := fmt.Fprintln(p.stdout, "\nAdd one: metermanager meter add NAME --found NUMBER [--profile NAME] [--zone ZONE]")
	return err
}

// found returns a device of the last scan by its number in the list.
func (p *program) found(ctx context.Context, r *remote, number int) (api.Discovered, error) {
	command, _ := api.LookupCommand(api.CmdMeterDiscovered)
	c, done, err := r.connect(ctx, p, command.Permission)
	if err != nil {
		return api.Discovered{}, err
	}
	defer done()
	var d api.Discovery
	if err := c.Call(ctx, api.CmdMeterDiscovered, nil, &d); err != nil {
		return api.Discovered{}, err
	}
	if number < 1 || number > len(d.Found) {
		return api.Discovered{}, fault.Newf(fault.NotFound, "The last scan found %s; there is no number %d.", count(int64(len(d.Found)), "device"), number).
			WithHint("See them: metermanager meter discover --last")
	}
	return d.Found[number-1], nil
}

// writeNew writes a file that must not exist yet.
func writeNew(name string, data []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	if _, err := f.Write(data); err != nil {
		f.Close() // the first error tells more
		return fmt.Errorf("write %s: %w", name, err)
	}
	return f.Close()
}
