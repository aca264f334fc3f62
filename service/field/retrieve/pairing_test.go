package retrieve_test

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"metermanager/logdb"
	"metermanager/logdb/logdbtest"
	"metermanager/service/field/device"
	"metermanager/service/field/modbus"
	"metermanager/service/field/poll"
	"metermanager/service/field/retrieve"
)

// tape is a log of a meter, record by record, behind the least that a session needs.
type tape struct {
	p       *device.Profile
	log     string // name of the log; "": alarm
	max     int    // how many records the memory takes, 0: 2048
	records [][]byte
	engaged bool
	index   uint32
	n       int
	before  func() // every request
}

func (m *tape) Do(_ context.Context, r modbus.Request) ([]byte, error) {
	log, _ := m.p.LogOf(cmp.Or(m.log, "alarm"))
	if m.before != nil {
		m.before()
	}
	switch {
	case r.FC == 6:
		m.engaged = r.Data[1]&0x80 != 0
		return nil, nil
	case r.FC == 16:
		d := r.Data
		if r.Addr == 0xC350 {
			m.n, d = int(d[0]), d[2:]
		}
		m.index = uint32(d[1])<<16 | uint32(d[2])<<8 | uint32(d[3])
		return nil, nil
	case r.Addr == 0xC34F:
		b := binary.BigEndian.AppendUint16(nil, device.EngageWord(log.Number, device.ScopeNormal))
		return append(b, device.WindowSetup(byte(m.n), 1, m.index)...), nil
	case r.Addr == 0x1193:
		return []byte{0, 3}, nil
	case r.Addr == 0xC34E:
		return []byte{0, 0}, nil
	case r.Addr == uint16(log.StatusAddr):
		s := device.LogStatus{Max: uint32(cmp.Or(m.max, 2048)), Used: uint32(len(m.records)), RecordSize: uint16(len(m.records[0]))}
		copy(s.Last[:], m.records[len(m.records)-1])
		if m.engaged {
			s.Availability = 3
		}
		return s.Append(nil), nil
	case r.Addr == 0xC351:
		var data []byte
		for i := range m.n {
			if k := int(m.index) + i; k < len(m.records) {
				data = append(data, m.records[k]...)
			}
		}
		b := device.AppendWindow(nil, true, m.index, data, device.WindowBytes)
		m.index += uint32(m.n)
		return b, nil
	case r.Addr == 0x754B:
		return device.AppendLimits(nil, []device.LimitSetting{{Addr: 0x03E7, AboveSet: 1050, BelowSet: 900}, {Addr: 0x0401, AboveSet: 1010}, {}, {}, {}, {}, {}, {}}), nil
	}
	return binary.BigEndian.AppendUint16(nil, 0), nil
}

func TestLimitPairing(t *testing.T) {
	t.Parallel()
	p, _ := profiles(t).Get("eig-shark-200")
	log, _ := p.LogOf("alarm")
	zero := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	rec := func(second int, out, below bool, limit int, count int16) []byte {
		return p.Layouts.Alarm.Append(nil, zero.Add(time.Duration(second)*time.Second), device.AlarmRecord{Out: out, Below: below, Limit: limit, Count: count})
	}
	filler := device.AppendFiller(nil, zero, 10)
	out1, in1 := rec(10, true, false, 0, 1060), rec(15, false, false, 0, 1085)
	for _, tc := range []struct {
		name  string
		steps [][][]byte // records that are new at each retrieval
		want  string
		open  int
	}{
		{"pair", [][][]byte{{out1, in1}}, "10s 5 1085;", 0},
		{"the end comes later", [][][]byte{{out1}, {in1}}, "10s 5 1085;", 0},
		{"still open", [][][]byte{{out1}, {rec(12, true, false, 1, 1020)}}, "", 2},
		{"detected again after power-up", [][][]byte{{out1}, {rec(20, true, false, 0, 1070)}, {rec(25, false, false, 0, 1090)}}, "10s NaN 1060;20s 5 1090;", 0},
		{"an end without a start", [][][]byte{{in1}, {rec(30, true, true, 0, 880), rec(31, false, true, 0, 870)}}, "30s 1 870;", 0},
		{"clock set back between start and end", [][][]byte{{rec(3600, true, false, 0, 1060)}, {in1}}, "3600s NaN 1085 why;", 0},
		{"and then an end without a start", [][][]byte{{rec(3600, true, false, 0, 1060), in1}, {rec(4000, false, false, 0, 1050)}}, "3600s NaN 1085 why;", 0},
		{"and one read with it", [][][]byte{{rec(3600, true, false, 0, 1060), in1, rec(4000, false, false, 0, 1050)}}, "3600s NaN 1085 why;", 0},
		{"start and end in one second", [][][]byte{{out1, rec(10, false, false, 0, 1070)}}, "10s 0 1070;", 0},
		{"above and below are two", [][][]byte{{out1, rec(11, true, true, 0, 890)}, {rec(12, false, true, 0, 885), in1}}, "10s 5 1085;11s 1 885;", 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			m := &tape{p: p, records: [][]byte{filler}}
			store := logdbtest.NewModel(logdbtest.Config{})
			target := &retrieve.Target{UID: uid, Profile: p, Zone: time.UTC, Conn: m, Identity: poll.Identity{Serial: "T1", Setup: device.Setup{PTNumerator: 120, PTMultiplier: 1, PTDenominator: 120}}}
			r := &retrieve.Reader{Store: store}
			for _, step := range tc.steps {
				m.records = append(m.records, step...)
				for range 2 { // the second finds nothing new, from whatever state
					var st retrieve.LogState
					if _, err := r.Log(t.Context(), target, log, &st, true); err != nil {
						t.Fatal(err)
					}
				}
			}
			got := ""
			if err := store.ReadEvents(t.Context(), logdb.EventQuery{Meter: uid, Kind: logdb.KindLimit}, func(_ logdb.StreamID, e *logdb.Entry) error {
				x := e.Excursion
				got += fmt.Sprintf("%ds %v %v", int(e.Time.Time().Sub(zero).Seconds()), x.DurationSeconds, math.Round(x.WorstPercent*10))
				if strings.Contains(e.Why, "clock was set back") {
					got += " why"
				}
				got += ";"
				if x.Channel == "readings.voltage.an" && math.Abs(x.Worst-x.WorstPercent*1.2) > 1e-9 {
					t.Errorf("worst %v V at %v %% of 120 V", x.Worst, x.WorstPercent)
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			if got != tc.want {
				t.Errorf("events %q, want %q", got, tc.want)
			}
			open, err := store.OpenStarts(t.Context(), uid, logdb.KindLimit)
			if err != nil || len(open) != tc.open {
				t.Errorf("%d open starts, want %d; %v", len(open), tc.open, err)
			}
			if m.engaged {
				t.Error("the log is still engaged")
			}
		})
	}
}

// Surplus ends change nothing, however often they are read.
func TestSurplusEnds(t *testing.T) {
	t.Parallel()
	p, _ := profiles(t).Get("eig-shark-200")
	log, _ := p.LogOf("alarm")
	zero := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	rec := func(second int, out bool, limit int, count int16) []byte {
		return p.Layouts.Alarm.Append(nil, zero.Add(time.Duration(second)*time.Second), device.AlarmRecord{Out: out, Limit: limit, Count: count})
	}
	m := &tape{p: p, records: [][]byte{device.AppendFiller(nil, zero, 10), rec(1, true, 0, 1060), rec(2, true, 0, 1061), rec(3, false, 0, 1062)}}
	store := logdbtest.NewModel(logdbtest.Config{})
	target := &retrieve.Target{UID: uid, Profile: p, Zone: time.UTC, Conn: m, Identity: poll.Identity{Serial: "T1"}}
	r := &retrieve.Reader{Store: store}
	var st retrieve.LogState
	run := func() {
		t.Helper()
		if _, err := r.Log(t.Context(), target, log, &st, true); err != nil {
			t.Fatal(err)
		}
	}
	run()
	m.records = append(m.records, rec(10, true, 1, 1020))
	run()
	m.records = append(m.records, rec(11, true, 1, 1030)) // gives the start at 10 up
	run()
	m.records = append(m.records, rec(12, false, 1, 1040), rec(13, false, 1, 1050)) // ends 11; the other end has no open start
	run()
	head, err := store.Journal(t.Context(), uid, logdb.KindLimit)
	if err != nil {
		t.Fatal(err)
	}
	run()
	if again, err := store.Journal(t.Context(), uid, logdb.KindLimit); err != nil || again.End != head.End {
		t.Errorf("a further retrieval moved the journal from %d to %d, %v", head.End, again.End, err)
	}
	if head.End != 4 {
		t.Errorf("the journal ends at %d, want two events of each limit", head.End)
	}
}
