package api

import (
	"net/url"
	"strconv"
	"strings"

	"metermanager/logdb"
	"metermanager/rpc/fault"
)

// params reads parameters and keeps the first error. Its messages hold no submitted value.
type params struct {
	values url.Values
	err    *fault.Error
}

func (p *params) fail(name, message string) {
	if p.err == nil {
		p.err = fault.New(fault.Invalid, message).At(name)
	}
}

func (p *params) error() error {
	if p.err != nil {
		return p.err
	}
	return nil
}

func (p *params) text(name string) string {
	all := p.values[name]
	switch {
	case len(all) == 0:
		return ""
	case len(all) > 1:
		p.fail(name, "the parameter stands twice")
	case len(all[0]) > maxParameter:
		p.fail(name, "the parameter is too long")
	}
	return all[0]
}

func (p *params) time(name string) logdb.Millis {
	text := p.text(name)
	if text == "" || p.err != nil {
		return 0
	}
	t, err := ParseTime(text)
	if err != nil {
		p.fail(name, fault.From(err).Message)
	}
	return t
}

func (p *params) count(name string, most int) int {
	text := p.text(name)
	if text == "" {
		return 0
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > most {
		p.fail(name, "a whole number from 1 to "+strconv.Itoa(most)+" is expected")
		return 0
	}
	return n
}

func (p *params) flag(name string) bool {
	switch p.text(name) {
	case "", "0", "false":
		return false
	case "1", "true":
		return true
	}
	p.fail(name, "true or false is expected")
	return false
}

// list takes both a=1,2 and a=1&a=2.
func (p *params) list(name string) []string {
	var out []string
	for _, v := range p.values[name] {
		if len(v) > maxParameter {
			p.fail(name, "the parameter is too long")
			return nil
		}
		for part := range strings.SplitSeq(v, ",") {
			if part = strings.TrimSpace(part); part != "" {
				out = append(out, part)
			}
		}
	}
	if len(out) > MaxQueryChannels {
		p.fail(name, "at most "+strconv.Itoa(MaxQueryChannels)+" are taken")
		return nil
	}
	return out
}

func (p *params) channels(name string) []logdb.ChannelKey {
	var out []logdb.ChannelKey
	have := nameSet{}
	for _, text := range p.list(name) {
		key, err := logdb.NormalizeChannel(text)
		if err != nil {
			p.fail(name, "a channel key has 2 to 8 parts of a-z, 0-9, _ and -, joined by points")
			return nil
		}
		if have.add(string(key)) {
			out = append(out, key)
		}
	}
	return out
}

func (p *params) ints(name string) []int64 {
	var out []int64
	for _, text := range p.list(name) {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			p.fail(name, "whole numbers are expected")
			return nil
		}
		out = append(out, n)
	}
	return out
}

func (p *params) aggs(name string) []string {
	out := p.list(name)
	for _, a := range out {
		switch a {
		case "mean", "min", "max", "sum", "last", "first", "count", "coverage":
		default:
			p.fail(name, "mean, min, max, sum, last, first, count or coverage is expected")
			return nil
		}
	}
	return out
}

func (p *params) zone(name string) string {
	z := p.text(name)
	if z != "" && z != ZoneSite && z != ZoneUTC {
		p.fail(name, "site or utc is expected")
	}
	return z
}

func (p *params) interval(name string) string {
	text := p.text(name)
	if text != "" {
		if _, _, err := ParseInterval(text); err != nil {
			p.fail(name, fault.From(err).Message)
		}
	}
	return text
}

func (p *params) log(name string) *logdb.LogNo {
	text := p.text(name)
	if text == "" {
		return nil
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		p.fail(name, "the number of a log is expected")
		return nil
	}
	log := logdb.LogNo(n)
	return &log
}

func (p *params) stream(name string) logdb.StreamID {
	id, err := logdb.ParseStream(p.text(name))
	if err != nil {
		p.fail(name, "a stream is 32 hex digits, a colon and a policy number")
	}
	return id
}

func setText(v url.Values, name, text string) {
	if text != "" {
		v.Set(name, text)
	}
}

func setTime(v url.Values, name string, t logdb.Millis) {
	if t != 0 {
		v.Set(name, strconv.FormatInt(int64(t), 10))
	}
}

func setInt(v url.Values, name string, n int) {
	if n != 0 {
		v.Set(name, strconv.Itoa(n))
	}
}

func setInts(v url.Values, name string, all []int64) {
	var out []string
	for _, n := range all {
		out = append(out, strconv.FormatInt(n, 10))
	}
	setText(v, name, strings.Join(out, ","))
}

func setKeys(v url.Values, name string, keys []logdb.ChannelKey) {
	var out []string
	for _, k := range keys {
		out = append(out, string(k))
	}
	setText(v, name, strings.Join(out, ","))
}

func setFlag(v url.Values, name string, on bool) {
	if on {
		v.Set(name, "true")
	}
}
