package api

import (
	"bytes"
	"encoding/csv"
	"slices"
	"strconv"

	"metermanager/logdb"
)

// Extension names a part of the program that customers may have to pay for.
type Extension string

// The extensions.
const (
	ExtensionAnalysis    Extension = "analysis"
	ExtensionRequests    Extension = "requests"
	ExtensionRealtime    Extension = "realtime"
	ExtensionCorrections Extension = "corrections"
)

// ExtensionInfo describes an extension.
type ExtensionInfo struct {
	Name    Extension
	Summary string
	// Operations are the routes that belong to it, Commands the commands.
	Operations []string
	Commands   []string
}

var extensions = []ExtensionInfo{
	{ExtensionAnalysis, "Analysis of recordings, weeks held against EN 50160, events of several meters as one", []string{OpAnalysis, OpEN50160, OpEventGroups}, nil},
	{ExtensionRequests, "Fetching records that managers did not send", []string{OpFetch}, nil},
	{ExtensionRealtime, "Present values", []string{OpRealtime}, []string{CmdMeterRead}},
	{ExtensionCorrections, "Corrections of records", []string{OpCorrect}, nil},
}

// Extensions lists the extensions.
func Extensions() []ExtensionInfo { return append([]ExtensionInfo(nil), extensions...) }

// LookupExtension returns the extension of a name.
func LookupExtension(name Extension) (ExtensionInfo, bool) {
	for _, e := range extensions {
		if e.Name == name {
			return e, true
		}
	}
	return ExtensionInfo{}, false
}

// ExtensionOf returns the extension that a route belongs to, "" for those that everybody has.
func ExtensionOf(operation string) Extension {
	for _, e := range extensions {
		for _, id := range e.Operations {
			if id == operation {
				return e.Name
			}
		}
	}
	return ""
}

// ExtensionOfCommand returns the extension that a command belongs to, "" for those that everybody has.
func ExtensionOfCommand(name string) Extension {
	for _, e := range extensions {
		if slices.Contains(e.Commands, name) {
			return e.Name
		}
	}
	return ""
}

// ExpirationRequest sets the date from which a meter cannot be read.
type ExpirationRequest struct {
	Expires string `json:"expires" maxLength:"64" doc:"A day such as 2027-01-01 (from its begin in UTC), RFC 3339, or milliseconds; empty: the date is cleared and the meter disabled"`
}

// ExpirationAnswer is what came of a new date.
type ExpirationAnswer struct {
	Expires      logdb.Millis `json:"expires_ms,omitempty"`
	Enabled      bool         `json:"enabled"`
	ChargeMonths float64      `json:"charge_months" doc:"What the new date adds in months; of months that have begun the share of their days"`
}

// Renewal is a meter whose date comes soon, or is over.
type Renewal struct {
	Meter        logdb.MeterUID `json:"meter_uid"`
	Name         string         `json:"name"`
	Serial       string         `json:"serial"`
	Customer     string         `json:"customer"`
	CustomerName string         `json:"customer_name"`
	Expires      logdb.Millis   `json:"expires_ms"`
	Over         bool           `json:"over"`
}

// RenewalsAnswer lists the renewals until the end of the next month.
type RenewalsAnswer struct {
	Renewals []Renewal `json:"renewals"`
	Next     string    `json:"next,omitempty" doc:"cursor of the next page"`
}

// UsageReport says what customers used in a month or a year.
type UsageReport struct {
	Period    string          `json:"period"`
	From      logdb.Millis    `json:"from_ms"`
	To        logdb.Millis    `json:"to_ms"`
	Until     logdb.Millis    `json:"until_ms" doc:"What was later than that is not in it: the period is not over"`
	Customers []CustomerUsage `json:"customers"`
	Next      string          `json:"next,omitempty" doc:"cursor of the next page, which may go on with meters of the last customer of this one"`
}

// Join adds the next page of the same report.
func (r *UsageReport) Join(next UsageReport) {
	r.Next = next.Next
	for _, c := range next.Customers {
		if n := len(r.Customers); n > 0 && r.Customers[n-1].Customer == c.Customer {
			last := &r.Customers[n-1]
			last.Meters, last.Extensions = append(last.Meters, c.Meters...), append(last.Extensions, c.Extensions...)
			continue
		}
		r.Customers = append(r.Customers, c)
	}
}

// CustomerUsage is the part of one customer.
type CustomerUsage struct {
	Customer    string           `json:"customer"`
	Name        string           `json:"name"`
	MeterMonths float64          `json:"meter_months" doc:"Sum over its meters"`
	Meters      []MeterUsage     `json:"meters"`
	Extensions  []ExtensionUsage `json:"extensions"`
}

// MeterUsage is how long a meter was enabled.
type MeterUsage struct {
	Meter   logdb.MeterUID `json:"meter_uid"`
	Name    string         `json:"name"`
	Serial  string         `json:"serial"`
	Days    int            `json:"days" doc:"Days in UTC on which it was enabled; one that has begun counts"`
	Months  float64        `json:"months" doc:"The days as shares of their months"`
	First   logdb.Millis   `json:"first_ms"`
	Last    logdb.Millis   `json:"last_ms"`
	Expires logdb.Millis   `json:"expires_ms,omitempty"`
}

// ExtensionUsage is how long an extension was switched on.
type ExtensionUsage struct {
	Name   Extension `json:"name"`
	Days   int       `json:"days"`
	Months float64   `json:"months"`
}

// CSV writes the report as lines for an accounting system: one for each meter and extension. Only the first page has the line of titles.
func (r UsageReport) CSV(first bool) []byte {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	w.UseCRLF = true
	line := func(cells ...string) {
		for i := range cells {
			cells[i] = harmless(cells[i])
		}
		_ = w.Write(cells) // into memory
	}
	if first {
		line("period", "customer", "customer_name", "kind", "id", "name", "serial", "days", "months", "expires")
	}
	for _, c := range r.Customers {
		for _, m := range c.Meters {
			expires := ""
			if m.Expires != 0 {
				expires = m.Expires.Time().UTC().Format("2006-01-02")
			}
			line(r.Period, c.Customer, c.Name, "meter", string(m.Meter), m.Name, m.Serial, strconv.Itoa(m.Days), strconv.FormatFloat(m.Months, 'f', 4, 64), expires)
		}
		for _, e := range c.Extensions {
			line(r.Period, c.Customer, c.Name, "extension", string(e.Name), "", "", strconv.Itoa(e.Days), strconv.FormatFloat(e.Months, 'f', 4, 64), "")
		}
	}
	w.Flush()
	return b.Bytes()
}

// harmless keeps a spreadsheet from taking a name for a formula.
func harmless(text string) string {
	if text != "" && bytes.IndexByte([]byte("=+-@\t\r"), text[0]) >= 0 {
		return "'" + text
	}
	return text
}

// ExtensionState is an extension as a customer has it.
type ExtensionState struct {
	Name     Extension `json:"name"`
	Summary  string    `json:"summary"`
	Billable bool      `json:"billable" doc:"It must be switched on to be used; otherwise it is free"`
	On       bool      `json:"on"`
}

// ExtensionsAnswer lists all extensions.
type ExtensionsAnswer struct {
	Extensions []ExtensionState `json:"extensions"`
}

// SwitchRequest switches an extension.
type SwitchRequest struct {
	On       bool   `json:"on"`
	Customer string `json:"customer,omitempty" maxLength:"64" doc:"For system administrators: another customer than the caller's"`
}

// Licensing is what a node asks its customers to pay for.
type Licensing struct {
	Required bool        `json:"required" doc:"A meter without a date of expiration cannot be read"`
	Billable []Extension `json:"billable" doc:"Extensions that must be switched on to be used; the others are free"`
}
