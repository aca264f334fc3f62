package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"metermanager/logdb"
	"metermanager/rpc/api"
)

// eventFilters narrow events by what they say.
type eventFilters struct {
	Type        []string `placeholder:"TYPE" help:"Events of this type. System: names such as 'power loss', or numbers; limits: below or above; PQ: sag or surge."`
	Codes       []int64  `placeholder:"N" help:"System events: only these types, by number."`
	MinDuration *float64 `placeholder:"S" help:"Limits, PQ, recordings: at least so many seconds; an event without an end has no duration."`
	MaxDuration *float64 `placeholder:"S" help:"At most so many seconds."`
	MinWorst    *float64 `placeholder:"V" help:"Limits, PQ: the worst value is at least this."`
	MaxWorst    *float64 `placeholder:"V" help:"The worst value is at most this."`
	MinPercent  *float64 `placeholder:"P" help:"Limits, PQ: the worst value is at least so many percent of full scale."`
	MaxPercent  *float64 `placeholder:"P" help:"The worst value is at most so many percent of full scale."`
	Text        string   `placeholder:"TEXT" help:"System events: a part of the description or type; recordings: of a trigger."`
	Withdrawn   bool     `help:"Superseded and withdrawn versions of events too."`
}

// filter is an eventFilters that was read.
type filter struct {
	codes []int64
	says  api.EventFilter
}

// read checks that the log of that kind has what is asked for, so that no option changes nothing.
func (f *eventFilters) read(kind logdb.Kind) (out filter, err error) {
	excursion := kind == logdb.KindLimit || kind == logdb.KindPQ
	for _, o := range []struct {
		name  string
		given bool
		fits  bool
	}{
		{"type", len(f.Type) > 0, excursion || kind == logdb.KindSystem},
		{"codes", len(f.Codes) > 0, kind == logdb.KindSystem},
		{"min-duration, --max-duration", f.MinDuration != nil || f.MaxDuration != nil, excursion || kind == logdb.KindWaveform},
		{"min-worst, --max-worst", f.MinWorst != nil || f.MaxWorst != nil, excursion},
		{"min-percent, --max-percent", f.MinPercent != nil || f.MaxPercent != nil, excursion},
		{"text", f.Text != "", kind == logdb.KindSystem || kind == logdb.KindWaveform},
		{"withdrawn", f.Withdrawn, kind != logdb.KindHistorical},
	} {
		if o.given && !o.fits {
			return out, usageError{fmt.Sprintf("--%s: the %s log does not have that", o.name, kind)}
		}
	}
	out.codes = slices.Clone(f.Codes)
	out.says = api.EventFilter{
		MinDuration: f.MinDuration, MaxDuration: f.MaxDuration, MinWorst: f.MinWorst, MaxWorst: f.MaxWorst,
		MinPercent: f.MinPercent, MaxPercent: f.MaxPercent, Text: f.Text,
	}
	for _, word := range f.Type {
		if err := out.addType(kind, word); err != nil {
			return out, err
		}
	}
	return out, nil
}

func (f *filter) addType(kind logdb.Kind, word string) error {
	if kind == logdb.KindSystem {
		n, err := systemType(word)
		f.codes = append(f.codes, n)
		return err
	}
	n, err := api.ParseExcursionType(word)
	switch {
	case err != nil:
		return usageError{fmt.Sprintf("--type %q: want below, above, sag or surge", word)}
	case f.says.Type != nil && *f.says.Type != n:
		return usageError{"--type: leave it out for both types"}
	}
	f.says.Type = &n
	return nil
}

// systemType reads the name or the number of a type of system events.
func systemType(word string) (int64, error) {
	if n, err := strconv.ParseInt(word, 10, 64); err == nil {
		return n, nil
	}
	var names []string
	for t := logdb.SystemPowerLoss; t <= logdb.SystemOther; t++ {
		name := t.String()
		if name == logdb.SystemOther.String() && t != logdb.SystemOther {
			continue
		}
		if strings.EqualFold(name, word) {
			return int64(t), nil
		}
		names = append(names, name)
	}
	return 0, usageError{fmt.Sprintf("--type %q: want one of %s", word, strings.Join(names, ", "))}
}
