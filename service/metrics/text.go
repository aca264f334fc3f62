package metrics

import (
	"bytes"
	"math"
	"strconv"
	"strings"
)

// ContentType is that of the text format.
const ContentType = "text/plain; version=0.0.4; charset=utf-8"

// The types of metrics.
const (
	Counter   = "counter"
	Gauge     = "gauge"
	histogram = "histogram"
)

// Text collects metrics, family by family.
type Text struct{ b bytes.Buffer }

// Bytes returns what was written.
func (t *Text) Bytes() []byte { return t.b.Bytes() }

// Family begins a metric. Its samples follow before the next one begins.
func (t *Text) Family(name, kind, help string) Family {
	t.b.WriteString("# HELP " + name + " " + strings.NewReplacer(`\`, `\\`, "\n", `\n`).Replace(help) + "\n")
	t.b.WriteString("# TYPE " + name + " " + kind + "\n")
	return Family{t, name}
}

// One writes a metric of one sample without labels.
func (t *Text) One(name, kind, help string, v float64) { t.Family(name, kind, help).Sample(v) }

// Family writes the samples of one metric.
type Family struct {
	t    *Text
	name string
}

// Sample writes a sample with labels as pairs of name and value.
func (f Family) Sample(v float64, labels ...string) { f.t.line(f.name, v, labels) }

func (t *Text) line(name string, v float64, labels []string) {
	t.b.WriteString(name)
	for i := 0; i+1 < len(labels); i += 2 {
		t.b.WriteString(map[bool]string{true: "{", false: ","}[i == 0])
		t.b.WriteString(labels[i] + `="` + labelValue(labels[i+1]) + `"`)
	}
	if len(labels) > 1 {
		t.b.WriteByte('}')
	}
	t.b.WriteString(" " + number(v) + "\n")
}

// labelValue escapes a value; what is no UTF-8 is replaced.
func labelValue(s string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(strings.ToValidUTF8(s, "\uFFFD"))
}

func number(v float64) string {
	switch {
	case math.IsNaN(v):
		return "NaN"
	case math.IsInf(v, 1):
		return "+Inf"
	case math.IsInf(v, -1):
		return "-Inf"
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}
