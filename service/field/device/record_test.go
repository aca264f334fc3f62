package device_test

import (
	"bytes"
	"math"
	"slices"
	"testing"
	"time"

	"metermanager/logdb"
	"metermanager/service/field/device"
)

var at = time.Date(2026, 7, 4, 12, 30, 15, 250e6, time.UTC)

func TestRecordsRoundTrip(t *testing.T) {
	t.Parallel()
	l := shark(t).Layouts
	sys := device.SystemRecord{Group: 1, Event: 2, Modifier: 3, Channel: 4, Params: [4]byte{5, 6, 7, 8}}
	b := device.AppendSystem(nil, at, sys)
	got, err := device.ParseSystem(b)
	sys.Time = got.Time
	if err != nil || got != sys || len(b) != device.SystemRecordSize {
		t.Errorf("system event %+v, %v", got, err)
	}
	if e := l.System.Event(got); e.Type != logdb.SystemLogRetrieval || e.Code != 0x102 {
		t.Errorf("%+v", e)
	}
	if e := l.System.Event(device.SystemRecord{Group: 200, Event: 1}); e.Type != logdb.SystemOther || e.Code != 200<<8|1 {
		t.Errorf("an unknown event is %+v", e)
	}
	alarm := device.AlarmRecord{Out: true, Below: true, Limit: 5, Count: -123}
	b = l.Alarm.Append(nil, at, alarm)
	gotA, err := l.Alarm.Parse(b)
	alarm.Time = gotA.Time
	if err != nil || gotA != alarm || b[7] != 0x85 {
		t.Errorf("alarm %+v, %v", gotA, err)
	}
	pq := device.PQRecord{Present: 0x09, Event: 0x08, Capture: 3, Flags: 1, Millis: 250, Surge: [3]uint16{1, 2, 3}, Sag: [3]uint16{4, 5, 6}, Calibration: [3]uint16{7, 8, 9}}
	b = l.PQ.Append(nil, at, pq)
	gotP, err := l.PQ.Parse(b)
	pq.Time = gotP.Time
	if err != nil || gotP != pq || len(b) != 32 {
		t.Errorf("PQ record %+v, %v", gotP, err)
	}
	limits := []device.LimitSetting{{Addr: 0x03E7, AboveSet: 1050, AboveReturn: 1040, BelowSet: 900, BelowReturn: 910}, {BelowSet: -50}}
	gotL, err := device.ParseLimits(device.AppendLimits(nil, limits))
	if err != nil || len(gotL) != 2 || gotL[0] != limits[0] || gotL[1] != limits[1] {
		t.Errorf("limits %+v, %v", gotL, err)
	}
}

// A log tells of a register whose sign is the direction by the type of its choice.
func TestMagnitudeInEveryTypeOfALog(t *testing.T) {
	t.Parallel()
	p := shark(t)
	i := slices.IndexFunc(p.Points, func(x device.Point) bool { return x.Channel == "energy.total.wh.delivered" })
	for name, c := range map[string]struct {
		typ  int
		raw  []byte
		want float64
	}{
		"energy": {device.ItemEnergy, []byte{0xFF, 0xFF, 0xFF, 0x85}, 1230},
		"signed": {device.ItemSigned, []byte{0xFF, 0xFF, 0xFF, 0x85}, 123},
		"float":  {device.ItemFloat, device.AppendFloat(nil, -12.5), 12.5},
	} {
		program := device.HistoryProgram{Registers: 2, Items: []device.HistoryItem{{Type: c.typ, Size: 4, Addr: p.Points[i].Addr}}}
		dec, err := p.HistoryDecoder(program, device.EnergyFormat{Digits: 8, Prefix: 3, Decimals: 2})
		if err != nil {
			t.Fatal(err)
		}
		row := make([]float64, 1)
		if _, err := dec.Decode(append(device.AppendTStamp(nil, at), c.raw...), row); err != nil || row[0] != c.want {
			t.Errorf("%s: %v, %v, want %v", name, row, err, c.want)
		}
	}
}

func TestHistoryProgramAndRecord(t *testing.T) {
	t.Parallel()
	p := shark(t)
	var points []device.Point
	for _, c := range []logdb.ChannelKey{"readings.voltage.an", "energy.total.wh.received", "thd.voltage.a", "readings.frequency", "energy.total.wh.delivered"} {
		x, ok := p.PointOf(c)
		if !ok {
			t.Fatalf("no point for %s", c)
		}
		points = append(points, x)
	}
	program := device.Program(points, 4, 15*time.Minute)
	block := program.Append(nil)
	got, err := device.ParseHistoryProgram(block)
	if err != nil || got.RecordSize() != 6+18 || got.Interval != 15*time.Minute || len(got.Items) != 5 {
		t.Fatalf("%+v, %v", got, err)
	}
	dec, err := p.HistoryDecoder(got, device.EnergyFormat{Digits: 8, Prefix: 3, Decimals: 2})
	if err != nil {
		t.Fatal(err)
	}
	rec := device.AppendTStamp(nil, at)
	rec = device.AppendFloat(rec, 120.442184)
	rec = append(rec, 0x00, 0x12, 0xD6, 0x87) // 1234567 counts of 10 Wh
	rec = append(rec, 0x01, 0x41)             // 3.21 %
	rec = device.AppendFloat(rec, math.NaN())
	rec = append(rec, 0xFF, 0xFF, 0xFF, 0x85) // -123: a load gives delivered energy a minus
	row := make([]float64, len(dec.Channels))
	if _, err := dec.Decode(rec, row); err != nil {
		t.Fatal(err)
	}
	if row[0] != 120.442184 || row[1] != 12345670 || row[2] != 0.0321 || !math.IsNaN(row[3]) || row[4] != 1230 {
		t.Errorf("%v is %v", dec.Channels, row)
	}
	if _, err := dec.Decode(rec[:18], row); err == nil {
		t.Error("a short record is decoded")
	}
	rec[1] = 13
	if _, err := dec.Decode(rec, row); err == nil {
		t.Error("a record of month 13 is decoded")
	}
	// The registers of a float that are not neighbours, and descriptors that do not fill the record.
	broken := bytes.Clone(block)
	broken[7]++
	if _, err := device.ParseHistoryProgram(broken); err == nil {
		t.Error("scattered registers are accepted")
	}
	broken = bytes.Clone(block)
	broken[4+2*device.MaxHistoryRegs+3] = 0xFF
	if _, err := device.ParseHistoryProgram(broken); err == nil {
		t.Error("descriptors that are too few are accepted")
	}
	broken = bytes.Clone(block)
	broken[0] = 200
	if _, err := device.ParseHistoryProgram(broken); err == nil {
		t.Error("200 registers a record are accepted")
	}
}

func TestCaptureRoundTrip(t *testing.T) {
	t.Parallel()
	l := shark(t).Layouts.Waveform
	c := device.Capture{Header: device.WaveHeader{Source: 1 << 3, RateCode: 6, Capture: 9, CycleTag: 250, LastSample: 2047}}
	for i := range c.Header.Calibration {
		c.Header.Calibration[i], c.Header.RMS[i] = 54049, 1000
	}
	for k, id := range []string{"IC", "AN", "IA", "BN", "IB", "CN"} { // any order
		b := device.CaptureBlock{ID: id}
		for s := range device.WaveSamples {
			b.Samples = append(b.Samples, int16(1000*k+s%100))
		}
		c.Blocks = append(c.Blocks, b)
	}
	recs := device.CaptureRecords(at, c)
	got, err := device.AssembleCapture(recs)
	if err != nil || got.Header != c.Header || len(got.Blocks) != 6 {
		t.Fatalf("%+v, %v", got.Header, err)
	}
	w, start, err := l.Recording(got, device.Setup{CTNumerator: 400, CTMultiplier: 1, CTDenominator: 5, PTNumerator: 120, PTMultiplier: 1, PTDenominator: 120}, logdb.MillisOf(at.Truncate(time.Second)), 4)
	if err != nil {
		t.Fatal(err)
	}
	if w.TriggerTime != logdb.MillisOf(at) || w.TriggerTime-start != 67 || w.End-start != 533 || len(w.Triggers) != 1 || w.Triggers[0] != "Van=Sag_start" {
		t.Errorf("start %v, trigger %v, end %v, %v", start, w.TriggerTime, w.End, w.Triggers)
	}
	for _, ch := range w.Channels {
		if ch.Name == "Ia" && ch.Samples[5] != l.Primary(2005, 54049, 80) || ch.Name == "Van_Vab" && ch.Samples[5] != l.Primary(1005, 54049, 1) {
			t.Errorf("%s sample 5 is %v", ch.Name, ch.Samples[5])
		}
	}
	swapped := append([][]byte(nil), recs...)
	swapped[3], swapped[4] = swapped[4], swapped[3]
	for name, bad := range map[string][][]byte{"out of order": swapped, "25 records": recs[:25], "none": nil} {
		if _, err := device.AssembleCapture(bad); err == nil {
			t.Errorf("%s: assembled", name)
		}
	}
}

func FuzzRecords(f *testing.F) {
	p := shark(f)
	l := p.Layouts
	f.Add(l.PQ.Append(nil, at, device.PQRecord{}))
	f.Add(device.AppendSystem(nil, at, device.SystemRecord{}))
	f.Add(l.Alarm.Append(nil, at, device.AlarmRecord{}))
	f.Add(device.LogStatus{Max: 1, Used: 1, RecordSize: 14}.Append(nil))
	f.Add(device.Program(p.Points[:4], 1, time.Minute).Append(nil))
	f.Add(device.CaptureRecords(at, device.Capture{})[0])
	f.Fuzz(func(t *testing.T, b []byte) {
		if ts, err := device.ParseTStamp(b); err == nil {
			back := device.AppendTStamp(nil, time.Date(ts.Year, time.Month(ts.Month), ts.Day, ts.Hour, ts.Minute, ts.Second, 0, time.UTC))
			again, err := device.ParseTStamp(back)
			again.DST = ts.DST
			if err != nil || again != ts {
				t.Errorf("%v came back as %v, %v", ts, again, err)
			}
			device.NewClock(time.UTC, 0, false).UTC(ts)
		}
		if s, err := device.ParseStatus(b); err == nil && s.Check(0) == nil {
			device.RecordsPerWindow(int(s.RecordSize))
		}
		if w, err := device.ParseWindow(b); err == nil {
			w.Record(0, 14)
			w.Record(1, 970)
		}
		if r, err := device.ParseSystem(b); err == nil {
			l.System.Event(r)
		}
		_, _ = l.Alarm.Parse(b)
		_, _ = l.PQ.Parse(b)
		_, _ = device.ParseLimits(b)
		_, _ = device.ParseIO(b)
		_, _ = device.ParseWaveRecord(b)
		_, _ = device.ParseWaveHeader(b)
		device.IsFiller(b)
		if h, err := device.ParseHistoryProgram(b); err == nil {
			dec, err := p.HistoryDecoder(h, device.EnergyFormat{Digits: 8})
			if err == nil {
				row := make([]float64, len(dec.Channels))
				_, _ = dec.Decode(make([]byte, h.RecordSize()), row)
			}
		}
		var recs [][]byte
		for len(b) >= 970 && len(recs) < 26 {
			recs, b = append(recs, b[:970]), b[970:]
		}
		if c, err := device.AssembleCapture(recs); err == nil {
			_, _, _ = l.Waveform.Recording(c, device.Setup{}, 0, 4)
		}
	})
}

func TestIOChange(t *testing.T) {
	t.Parallel()
	b := append(device.AppendTStamp(nil, at), 0x11, 0x10, 0x88, 0x08)
	r, err := device.ParseIO(b)
	if err != nil {
		t.Fatal(err)
	}
	const want = "card 1 input 1 off, card 1 output 1 on, card 2 input 4 on, card 2 output 4 off"
	if e := r.Event(); e.Description != want || e.Code != 0x11108808 {
		t.Errorf("%+v, want %s", e, want)
	}
	if _, err := device.ParseIO(b[:9]); err == nil {
		t.Error("nine bytes were read")
	}
}
