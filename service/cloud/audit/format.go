package audit

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Writer writes lines for other programs.
type Writer struct{ Vendor, Name, Version, Host string }

// Product names the program and the node in exported lines.
func Product(version, host string) Writer {
	return Writer{"Meter Manager", "metermanager", version, host}
}

// severity is that of CEF, 0 to 10.
func severity(e Event) int {
	switch e.Outcome {
	case Refused:
		return 6
	case Failed:
		return 5
	}
	return 3
}

// CEF is the event as a line of the Common Event Format, version 0: pipes and backslashes of the header, and backslashes, equals
// signs and line breaks of the extension are escaped.
func (p Writer) CEF(e Event) string {
	var b strings.Builder
	fmt.Fprintf(&b, "CEF:0|%s|%s|%s|%s|%s|%d|", header(p.Vendor), header(p.Name), header(p.Version), header(e.Action), header(e.Action+" "+e.Outcome), severity(e))
	ext := func(key, value string) {
		if value != "" {
			fmt.Fprintf(&b, "%s=%s ", key, extension(value))
		}
	}
	ext("rt", fmt.Sprint(e.AtMillis))
	ext("externalId", fmt.Sprint(e.Seq))
	ext("act", e.Action)
	ext("outcome", e.Outcome)
	ext("reason", e.Reason)
	ext("suid", e.Actor)
	ext("suser", e.Name)
	ext("src", e.Address)
	ext("duid", e.Target)
	if e.Customer != "" {
		ext("cs1Label", "customer")
		ext("cs1", e.Customer)
	}
	if e.Request != "" {
		ext("cs2Label", "request")
		ext("cs2", e.Request)
	}
	ext("msg", details(e))
	return strings.TrimRight(b.String(), " ")
}

func header(s string) string {
	return strings.NewReplacer(`\`, `\\`, `|`, `\|`, "\n", " ", "\r", " ").Replace(s)
}

func extension(s string) string {
	return strings.NewReplacer(`\`, `\\`, `=`, `\=`, "\n", `\n`, "\r", `\r`).Replace(s)
}

func details(e Event) string {
	var words []string
	for _, k := range slices.Sorted(maps.Keys(e.Details)) {
		words = append(words, k+"="+e.Details[k])
	}
	return strings.Join(words, " ")
}

// Syslog is the event as a message of RFC 5424, of the facility 13 (log audit), with its members as structured data.
func (p Writer) Syslog(e Event) string {
	var sd strings.Builder
	sd.WriteString("[audit@32473") // the enterprise number for documentation: RFC 5612
	for _, x := range [][2]string{
		{"seq", fmt.Sprint(e.Seq)}, {"customer", e.Customer}, {"actor", e.Actor}, {"name", e.Name}, {"address", e.Address},
		{"request", e.Request}, {"action", e.Action}, {"target", e.Target}, {"outcome", e.Outcome}, {"reason", e.Reason}, {"details", details(e)},
	} {
		if x[1] != "" {
			fmt.Fprintf(&sd, ` %s="%s"`, x[0], strings.NewReplacer(`\`, `\\`, `"`, `\"`, `]`, `\]`, "\n", " ", "\r", " ").Replace(x[1]))
		}
	}
	sd.WriteByte(']')
	return p.syslog(e, sd.String(), oneLine(e.Action+" "+e.Outcome))
}

// SyslogCEF is the event in CEF as a message of RFC 5424.
func (p Writer) SyslogCEF(e Event) string { return p.syslog(e, "-", p.CEF(e)) }

// syslog puts the head of RFC 5424 before a message.
func (p Writer) syslog(e Event, data, message string) string {
	level := 6 // informational
	if e.Outcome != Done {
		level = 4 // warning
	}
	at := time.UnixMilli(e.AtMillis).UTC().Format("2006-01-02T15:04:05.000Z")
	return fmt.Sprintf("<%d>1 %s %s %s - %s %s %s", 13*8+level, at, token(p.Host, 255), p.Name, token(e.Action, 32), data, message)
}

// token keeps the printable ASCII of RFC 5424, 6.2, up to a length.
func token(s string, most int) string {
	out := strings.Map(func(c rune) rune {
		if c <= ' ' || c > '~' {
			return '_'
		}
		return c
	}, s)
	if out == "" {
		return "-"
	}
	return out[:min(len(out), most)]
}

func oneLine(s string) string { return strings.NewReplacer("\n", " ", "\r", " ").Replace(s) }
