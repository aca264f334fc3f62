package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"metermanager/logdb"
	"metermanager/rpc/api"
	"metermanager/rpc/permission"
)

// licenceCmd is what customers pay for.
type licenceCmd struct {
	Set        licenceSetCmd        `cmd:"" help:"Set the date from which a meter cannot be read, or clear it."`
	Renewals   licenceRenewalsCmd   `cmd:"" help:"List the meters whose licence ends soon, or is over."`
	Usage      licenceUsageCmd      `cmd:"" help:"Report what customers used in a month or a year."`
	Extensions licenceExtensionsCmd `cmd:"" help:"List extensions, or switch one on or off."`
	Policy     licencePolicyCmd     `cmd:"" help:"Show or change what this node asks its customers to pay for."`
}

// licenceSetCmd sets a date.
type licenceSetCmd struct {
	remote
	JSON  bool   `name:"json" help:"Print the result as JSON."`
	Meter string `arg:"" help:"Name, serial or UID."`
	Date  string `arg:"" help:"A day such as 2027-01-01, RFC 3339, or none."`
}

// Help shows an example.
func (licenceSetCmd) Help() string {
	return "Example: metermanager licence set main-incomer 2027-01-01\n\nThe meter can be read until the day begins (in UTC), and goes on uploading afterwards. none clears the date and disables the meter."
}

// Run sets the date.
func (c *licenceSetCmd) Run(ctx context.Context, p *program) error {
	service, m, done, err := c.connectMeter(ctx, p, permission.System, c.Meter)
	if err != nil {
		return err
	}
	defer done()
	date := c.Date
	if date == "none" {
		date = ""
	}
	a, err := service.SetExpiration(ctx, m.UID, date)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(p.stdout, a)
	}
	if a.Expires == 0 {
		fmt.Fprintf(p.stdout, "%s has no date any more and is disabled.\n", c.Meter)
		return nil
	}
	fmt.Fprintf(p.stdout, "%s can be read until %s. This adds %s months.\n", c.Meter, day(a.Expires), months(a.ChargeMonths))
	return nil
}

func day(t logdb.Millis) string { return t.Time().UTC().Format("2006-01-02 15:04 UTC") }

func months(n float64) string { return strconv.FormatFloat(n, 'f', -1, 64) }

// licenceRenewalsCmd lists renewals.
type licenceRenewalsCmd struct {
	remote
	JSON bool `name:"json" help:"Print the result as JSON."`
}

// Help shows an example.
func (licenceRenewalsCmd) Help() string { return "Example: metermanager licence renewals" }

// Run lists them.
func (c *licenceRenewalsCmd) Run(ctx context.Context, p *program) error {
	service, done, err := c.connect(ctx, p, permission.UsersManage)
	if err != nil {
		return err
	}
	defer done()
	list, err := service.Renewals(ctx)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(p.stdout, list)
	}
	t := newTable("Until", "Customer", "Meter", "Serial", "UID", "State")
	for _, r := range list {
		state := "ends"
		if r.Over {
			state = "over"
		}
		t.add(day(r.Expires), r.CustomerName, r.Name, r.Serial, string(r.Meter), state)
	}
	return t.write(p.stdout)
}

// licenceUsageCmd reports usage.
type licenceUsageCmd struct {
	remote
	JSON     bool   `name:"json" help:"Print the result as JSON."`
	CSV      bool   `name:"csv" help:"Print lines for an accounting system."`
	Period   string `arg:"" help:"A month such as 2026-03, or a year such as 2026."`
	Customer string `placeholder:"ID" help:"Only this customer."`
}

// Help shows an example.
func (licenceUsageCmd) Help() string {
	return "Example: metermanager licence usage 2026-03 --csv\n\nDays are those of UTC; one on which a meter was enabled counts whole. A month's share is its days."
}

// Run prints the report.
func (c *licenceUsageCmd) Run(ctx context.Context, p *program) error {
	service, done, err := c.connect(ctx, p, permission.UsersManage)
	if err != nil {
		return err
	}
	defer done()
	if c.CSV {
		text, err := service.UsageCSV(ctx, c.Period, c.Customer)
		if err != nil {
			return err
		}
		_, err = p.stdout.Write(text)
		return err
	}
	r, err := service.Usage(ctx, c.Period, c.Customer)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(p.stdout, r)
	}
	t := newTable("Customer", "What", "Serial", ">Days", ">Months")
	for _, one := range r.Customers {
		for _, m := range one.Meters {
			t.add(one.Name, m.Name, m.Serial, strconv.Itoa(m.Days), months(m.Months))
		}
		for _, e := range one.Extensions {
			t.add(one.Name, "extension "+string(e.Name), "", strconv.Itoa(e.Days), months(e.Months))
		}
		t.add(one.Name, "all meters", "", "", months(one.MeterMonths))
	}
	if err := t.write(p.stdout); err != nil {
		return err
	}
	if r.Until < r.To {
		fmt.Fprintf(p.stdout, "\nUntil %s: the period is not over.\n", day(r.Until))
	}
	return nil
}

// licenceExtensionsCmd shows and switches extensions.
type licenceExtensionsCmd struct {
	remote
	JSON     bool   `name:"json" help:"Print the result as JSON."`
	Name     string `arg:"" optional:"" help:"Extension; lists all without it."`
	Switch   string `arg:"" optional:"" enum:"on,off," default:"" help:"on or off."`
	Customer string `placeholder:"ID" help:"For system administrators: another customer."`
}

// Help shows an example.
func (licenceExtensionsCmd) Help() string {
	return "Example: metermanager licence extensions analysis on"
}

// Run lists, or switches.
func (c *licenceExtensionsCmd) Run(ctx context.Context, p *program) error {
	if c.Name != "" && c.Switch == "" {
		return usageError{"say on or off"}
	}
	service, done, err := c.connect(ctx, p, permission.UsersManage)
	if err != nil {
		return err
	}
	defer done()
	if c.Name != "" {
		if err := service.SwitchExtension(ctx, api.Extension(c.Name), c.Switch == "on", c.Customer); err != nil {
			return err
		}
	}
	list, err := service.Extensions(ctx, c.Customer)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(p.stdout, list)
	}
	t := newTable("Extension", "State", "What")
	for _, e := range list {
		state := "free"
		switch {
		case e.On:
			state = "on"
		case e.Billable:
			state = "off"
		}
		t.add(string(e.Name), state, e.Summary)
	}
	return t.write(p.stdout)
}

// licencePolicyCmd shows and changes what is paid for.
type licencePolicyCmd struct {
	remote
	JSON     bool    `name:"json" help:"Print the result as JSON."`
	Required string  `placeholder:"true|false" enum:"true,false," default:"" help:"Whether a meter without a date of expiration cannot be read."`
	Billable *string `placeholder:"NAMES" help:"Extensions that must be switched on to be used, joined by commas; none: all are free."`
}

// Help shows an example.
func (licencePolicyCmd) Help() string {
	return "Example: metermanager licence policy --required true --billable analysis,requests"
}

// Run shows, or changes.
func (c *licencePolicyCmd) Run(ctx context.Context, p *program) error {
	service, done, err := c.connect(ctx, p, permission.System)
	if err != nil {
		return err
	}
	defer done()
	l, err := service.Licensing(ctx)
	if err != nil {
		return err
	}
	if c.Required != "" {
		l.Required = c.Required == "true"
	}
	if c.Billable != nil {
		l.Billable = []api.Extension{}
		for part := range strings.SplitSeq(*c.Billable, ",") {
			if part = strings.TrimSpace(part); part != "" && part != "none" {
				l.Billable = append(l.Billable, api.Extension(part))
			}
		}
	}
	if c.Required != "" || c.Billable != nil {
		if err := service.SetLicensing(ctx, l); err != nil {
			return err
		}
	}
	if c.JSON {
		return printJSON(p.stdout, l)
	}
	names := "none"
	if len(l.Billable) > 0 {
		names = strings.Trim(fmt.Sprint(l.Billable), "[]")
	}
	fmt.Fprintf(p.stdout, "A meter needs a date to be read: %v\nExtensions that are billed: %s\n", l.Required, names)
	return nil
}
