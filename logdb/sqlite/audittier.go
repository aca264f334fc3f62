package sqlite

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"metermanager/logdb"
	"metermanager/logdb/chunk"
)

const (
	listHeadIndex = `SELECT seq, log, t_min, t_max, p_min, p_max, n, crc, data FROM head WHERE stream = ?`
	rebuildsTier  = `SELECT step_ms, rebuild FROM meter WHERE id = ?`
)

// indexes compares the columns by which pages are found with the pages.
func (a *auditor) indexes() error {
	err := a.each(func(rows *sql.Rows) error {
		var seq int64
		var k chunkRow
		var log logdb.LogNo
		var crc int64
		var data []byte
		if err := rows.Scan(&seq, &log, &k.tMin, &k.tMax, &k.pMin, &k.pMax, &k.n, &crc, &data); err != nil {
			return err
		}
		var p chunk.Page
		if checked(data, crc) != nil || a.codec.Page(data, &p) != nil || p.Len() == 0 {
			a.index(log, "", k, "page "+fmt.Sprint(seq)+" cannot be read")
			return nil
		}
		if k.tMin != slices.Min(p.Times) || k.tMax != slices.Max(p.Times) || k.pMin != p.Positions[0] || k.pMax != p.Positions[p.Len()-1] || k.n != int64(p.Len()) {
			k.pMin, k.pMax, k.tMin = p.Positions[0], p.Positions[p.Len()-1], slices.Min(p.Times)
			a.index(log, "", k, "page "+fmt.Sprint(seq)+" is filed under other times or positions")
		}
		return nil
	}, listHeadIndex, a.id)
	if err != nil {
		return err
	}
	rows, err := a.allSeries()
	if err != nil {
		return err
	}
	for i := range rows {
		if err := a.chunkIndexes(&rows[i]); err != nil {
			return err
		}
	}
	return nil
}

// allSeries lists the series of the stream, those of the marks included.
func (a *auditor) allSeries() (out []seriesRow, err error) {
	err = a.each(func(rows *sql.Rows) error {
		r := seriesRow{stream: a.id}
		var channel int64
		var key string
		err := rows.Scan(&r.id, &r.log, &channel, &key)
		r.channel = logdb.ChannelKey(key)
		out = append(out, r)
		return err
	}, listLogs, a.id)
	return out, err
}

func (a *auditor) chunkIndexes(r *seriesRow) error {
	list, err := a.chunksOf(r, everything)
	if err != nil {
		return err
	}
	m := seriesMerger{compactor: &compactor{txn: &txn{conn: a.conn}, view: &view{}}, row: r, covers: r.covers(), marks: r.channel == ""}
	for _, k := range list {
		c, err := m.column(k.id)
		if errors.Is(err, chunk.ErrDamaged) {
			a.index(r.log, r.channel, k, "a chunk cannot be read: "+err.Error())
			continue
		}
		if err != nil {
			return err
		}
		day, n := dayOfChunk(k.id), c.Len()
		if n == 0 || k.n != int64(n) || k.tMin != c.Times[0] || k.tMax != c.Times[n-1] || k.pMin != slices.Min(c.Positions) || k.pMax != slices.Max(c.Positions) ||
			dayKey(c.Times[0], m.covers) < day || dayKey(c.Times[n-1], m.covers) >= day+k.days {
			a.index(r.log, r.channel, k, "a chunk is filed under other times or positions")
		}
	}
	return nil
}

func (a *auditor) index(log logdb.LogNo, channel logdb.ChannelKey, k chunkRow, text string) {
	a.add(logdb.Finding{
		Place: logdb.PlaceIndex, Fault: logdb.FaultAltered, Log: log, Channel: channel, Day: k.tMin.Day(), Time: k.tMin,
		Position: k.pMin, Last: k.pMax, Count: k.n, Have: text,
	})
}

// tier compares the hour tier with the chunks that it sums up.
func (a *auditor) tier() error {
	var step logdb.Millis
	var rebuild bool
	if _, err := a.one([]any{&step, &rebuild}, rebuildsTier, a.meter); err != nil {
		return err
	}
	for i := range a.series {
		if err := a.tierOf(&a.series[i].row, step, rebuild); err != nil {
			return err
		}
		if err := a.quartersOf(&a.series[i].row, step, rebuild); err != nil {
			return err
		}
	}
	return nil
}

func (a *auditor) tierOf(r *seriesRow, step logdb.Millis, rebuild bool) error {
	view, err := a.viewOrSoundPart(r)
	if err != nil {
		return err
	}
	want := map[int64]*chunk.Roll{}
	unread := map[int64]bool{}
	list, err := a.chunksOf(r, everything)
	if err != nil {
		return err
	}
	var b logdb.Block
	for _, k := range list {
		cell := cellOf(dayOfChunk(k.id))
		err := a.points(k.id, &b)
		if errors.Is(err, chunk.ErrDamaged) {
			unread[cell] = true
			continue
		}
		if err != nil {
			return err
		}
		if want[cell] == nil {
			want[cell] = &chunk.Roll{Step: step, Covers: r.covers()}
		}
		want[cell].RollUp(&b)
	}
	err = a.eachRoll(chunkID(r.id, 0), chunkID(r.id, cellOf(1<<dayBits-1)), func(id, crc int64, data []byte) error {
		cell := dayOfChunk(id)
		w := want[cell]
		delete(want, cell)
		if _, gone := slices.BinarySearch(view.gone, cell); gone || unread[cell] {
			return nil
		}
		a.compareTier(r, cell, crc, data, w, rebuild)
		return nil
	})
	if err != nil {
		return err
	}
	hourFrom := int64(0)
	if _, err := a.one([]any{&step, &hourFrom}, droppedHours, r.id); err != nil {
		return err
	}
	for cell := range want {
		if !rebuild && !unread[cell] && cell >= hourFrom {
			day := logdb.Millis(cell) * logdb.DayMillis
			a.add(logdb.Finding{Place: logdb.PlaceTier, Fault: logdb.FaultMissing, Log: r.log, Channel: r.channel, Day: firstDay(want[cell], day), Want: "28 days of sums"})
		}
	}
	return nil
}

const (
	quarterRows = `SELECT id, crc, data FROM quarter WHERE id BETWEEN ? AND ? ORDER BY id`
	// Cells of a series whose values are all in the archive.
	archivedIDs    = `SELECT c.id FROM chunk c WHERE c.id BETWEEN ? AND ? AND length(c.data) = 0 ORDER BY c.id`
	droppedQuarter = `SELECT m.quarter_from FROM series s JOIN meter m ON m.id = s.meter WHERE s.id = ?`
)

// quartersOf compares the 15-minute tier with what it sums up, as far as that is not gone.
func (a *auditor) quartersOf(r *seriesRow, step logdb.Millis, rebuild bool) error {
	view, err := a.viewOrSoundPart(r)
	if err != nil {
		return err
	}
	from := int64(0)
	if _, err := a.one([]any{&from}, droppedQuarter, r.id); err != nil {
		return err
	}
	first, last := chunkID(r.id, 0), chunkID(r.id, 1<<dayBits-1)
	missing := map[int64]bool{}
	err = a.each(func(rows *sql.Rows) error {
		var id int64
		err := rows.Scan(&id)
		if cell := cellOf(dayOfChunk(id)); cell >= from && step > quarterStep {
			missing[cell] = true
		}
		return err
	}, archivedIDs, first, last)
	if err != nil {
		return err
	}
	type kept struct {
		cell, crc int64
		data      []byte
	}
	var all []kept
	err = a.each(func(rows *sql.Rows) error {
		var k kept
		err := rows.Scan(&k.cell, &k.crc, &k.data)
		k.cell = dayOfChunk(k.cell)
		all = append(all, k)
		return err
	}, quarterRows, first, last)
	if err != nil {
		return err
	}
	for _, k := range all {
		delete(missing, k.cell)
		if _, gone := slices.BinarySearch(view.gone, k.cell); gone {
			continue
		}
		want, _, err := a.rollUp(r, k.cell, quarterStep)
		if errors.Is(err, chunk.ErrDamaged) {
			continue // named already
		}
		if err != nil {
			return err
		}
		if len(want.Steps) == 0 {
			want = nil
		}
		a.compareTier(r, k.cell, k.crc, k.data, want, false)
	}
	for cell := range missing {
		if rebuild {
			break // about to be made: queries read the values meanwhile
		}
		a.add(logdb.Finding{Place: logdb.PlaceTier, Fault: logdb.FaultMissing, Log: r.log, Channel: r.channel, Day: logdb.Millis(cell) * logdb.DayMillis, Want: "28 days of sums of 15 minutes"})
	}
	return nil
}

// firstDay returns the day of the first step of a tier.
func firstDay(r *chunk.Roll, cell logdb.Millis) logdb.Millis {
	if r == nil || len(r.Steps) == 0 {
		return cell
	}
	return (logdb.Millis(r.Steps[0]) * r.Step).Day()
}

func (a *auditor) compareTier(r *seriesRow, cell, crc int64, data []byte, want *chunk.Roll, rebuild bool) {
	f := logdb.Finding{
		Place: logdb.PlaceTier, Fault: logdb.FaultAltered, Log: r.log, Channel: r.channel,
		Day: firstDay(want, logdb.Millis(cell)*logdb.DayMillis),
	}
	var have chunk.Roll
	if err := checked(data, crc); err != nil {
		f.Have = "it cannot be read: " + err.Error()
		a.add(f)
		return
	}
	if err := a.codec.Roll(data, &have); err != nil {
		f.Have = "it cannot be read: " + err.Error()
		a.add(f)
		return
	}
	if want == nil {
		f.Fault, f.Have, f.Day = logdb.FaultExtra, "sums of values that are not there", firstDay(&have, f.Day)
		a.add(f)
		return
	}
	if have.Step != want.Step && rebuild || have.Covers != want.Covers {
		return // about to be made anew
	}
	if same, err := a.codec.AppendRoll(nil, want); err == nil && bytes.Equal(same, data) {
		return
	}
	i := 0
	for i < len(have.Steps) && i < len(want.Steps) && have.Steps[i] == want.Steps[i] && sameBucket(have.Buckets[i], want.Buckets[i]) {
		i++
	}
	if i == len(have.Steps) && i == len(want.Steps) && have.Step == want.Step {
		return
	}
	at := func(r *chunk.Roll) (logdb.Millis, string) {
		if i >= len(r.Steps) {
			return logdb.MaxTime, ""
		}
		b := r.Buckets[i]
		return logdb.Millis(r.Steps[i]) * r.Step, fmt.Sprintf("%d values, sum %g, from %g to %g", b.Count, b.Sum, b.Min, b.Max)
	}
	haveAt, haveText := at(&have)
	wantAt, wantText := at(want)
	f.Time = min(haveAt, wantAt)
	f.Day = f.Time.Day()
	switch {
	case haveAt < wantAt:
		f.Fault, f.Have = logdb.FaultExtra, haveText
	case wantAt < haveAt:
		f.Fault, f.Want = logdb.FaultMissing, wantText
	default:
		f.Have, f.Want = haveText, wantText
	}
	a.add(f)
}

func sameBucket(x, y logdb.Bucket) bool {
	return x == y || fmt.Sprint(x) == fmt.Sprint(y) // NaN is not equal to itself
}

// ranges compares the count of each series with its values, and its bounds with their days.
func (a *auditor) ranges() error {
	counted := map[seriesKey]int64{}
	for k, data := range a.data {
		counted[seriesKey{k.log, k.channel}] += data.Count
	}
	claimed := map[seriesKey]int64{}
	days := map[seriesKey]span{} // gone ones, too
	for k, claim := range a.claims {
		key := seriesKey{k.log, k.channel}
		claimed[key] += claim.Count
		if claim.Count == 0 {
			continue
		}
		in, known := days[key]
		if !known {
			in = span{k.day, k.day}
		}
		days[key] = span{min(in.first, k.day), max(in.last, k.day)}
	}
	ranges, err := a.rangesOf(a.meter)
	if err != nil {
		if !errors.Is(err, chunk.ErrDamaged) {
			return err
		}
		a.add(logdb.Finding{Place: logdb.PlaceRange, Fault: logdb.FaultAltered, Have: "it cannot be read: " + err.Error()})
		return nil
	}
	for i := range a.series {
		l := &a.series[i]
		key := seriesKey{l.row.log, l.channel}
		x, known := ranges[l.row.id]
		if in, some := days[key]; some && x.n > 0 && (x.first.Day() > in.first || x.last.Day() < in.last) {
			a.add(logdb.Finding{
				Place: logdb.PlaceRange, Fault: logdb.FaultAltered, Log: l.row.log, Channel: l.row.channel, Day: x.last.Day(), Time: x.last, Position: x.lastPosition,
				Have: fmt.Sprintf("values from %s to %s", x.first, x.last), Want: fmt.Sprintf("days from %s to %s", in.first, in.last),
			})
		}
		if counted[key] != claimed[key] || x.n == counted[key] {
			continue // named already, or as it should be
		}
		f := logdb.Finding{
			Place: logdb.PlaceRange, Fault: logdb.FaultAltered, Log: l.row.log, Channel: l.row.channel, Day: x.last.Day(), Time: x.last, Position: x.lastPosition,
			Have: fmt.Sprintf("%d values", x.n), Want: fmt.Sprintf("%d values", counted[key]),
		}
		if !known {
			f.Fault, f.Have, f.Day = logdb.FaultMissing, "", 0
		}
		a.add(f)
	}
	return nil
}
