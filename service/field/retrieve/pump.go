package retrieve

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"metermanager/logdb"
	"metermanager/service/field/device"
)

// run aligns, then fetches, decodes and appends batch by batch.
func (r *Reader) run(ctx context.Context, s session, w *work, st *LogState, out *Outcome) error {
	first, err := s.oldest(ctx)
	if err != nil {
		return err
	}
	tail := fitting(w.tail[max(0, len(w.tail)-searchRecords):], s.extent().RecordSize)
	at, err := align(ctx, s, w.log, tail, first, st.Next)
	if err != nil {
		return fmt.Errorf("align log %s: %w", w.log.Name, err)
	}
	if err := s.held(ctx); err != nil { // where the records of another log were compared, nothing fits
		return err
	}
	stored := len(w.tail) > 0
	if !stored {
		if stored, err = w.lacksStarts(ctx, s, first); err != nil {
			return err
		}
	}
	if stored && (!at.found || w.newGen != "") {
		if err := w.generation(ctx, s, at, first, out); err != nil {
			return err
		}
	}
	if !at.found {
		w.prev = nil
	} else {
		w.prev = tail[len(tail)-1]
	}
	st.Next = at.next
	return w.pump(ctx, s, st, out)
}

// fitting returns the newest of the stored records that have the size of the meter's: what was
// recorded under another programming cannot match, and what came after it must.
func fitting(tail [][]byte, size int) [][]byte {
	i := len(tail)
	for i > 0 && len(tail[i-1]) == size {
		i--
	}
	return tail[i:]
}

// generation notes that the meter's memory does not continue what is stored.
func (w *work) generation(ctx context.Context, s session, at place, first uint32, out *Outcome) error {
	if at.found { // the records go on without a hole, only under new settings
		if w.detail == rescaled && at.next < s.extent().Used {
			if err := w.noteRescaled(ctx, out); err != nil {
				return err
			}
		}
		w.gen++
		w.newGen = ""
		return nil
	}
	if first >= s.extent().Used {
		return nil // nothing follows yet: the break is noted with the first record after it
	}
	if err := w.lookForStarts(ctx, s, first); err != nil {
		return err
	}
	lost, err := w.decoder.lost(ctx, w)
	if err != nil {
		return err
	}
	alone := len(w.tail) == 0
	enter := func() error {
		for i := range lost {
			if err := w.append(ctx, lost[i], out); err != nil {
				return err
			}
		}
		return nil
	}
	if !alone {
		if err := enter(); err != nil {
			return err
		}
	}
	w.gen++
	cause, detail := w.newGen, w.detail
	w.newGen = ""
	gap := logdb.Gap{From: w.lastAt, To: w.lastAt, Cause: cause, Detail: detail}
	recs, err := s.window(ctx, first, 1)
	if err != nil {
		return err
	}
	w.until(&gap, recs)
	if gap.Cause == "" {
		gap.Cause, gap.Detail = logdb.GapReset, "the stored records are no longer in the meter"
		if s.extent().Used == s.extent().Max && gap.To > gap.From {
			gap.Cause, gap.Detail = logdb.GapOverwritten, "the meter's memory was full before its records were retrieved"
		}
	}
	out.Gap = gap.Cause
	w.tail = nil
	w.pending = &logdb.Entry{Op: logdb.OpGap, Log: w.log.Log, Run: w.run, Generation: w.gen, Time: gap.From, Gap: &gap}
	if alone { // no record would tell of the break next time: it enters with the starts that it left without an end
		return enter()
	}
	return nil
}

// until ends a gap at the first of the records behind it. Another meter may have been at work elsewhere before: what the old one
// recorded until it was taken away is lost, and nobody knows more of that time than that it is over.
func (w *work) until(gap *logdb.Gap, recs [][]byte) {
	if t, err := w.log.ParseStamp(recs[0]); err == nil {
		clock := device.NewClock(w.t.Zone, 0, w.clock.SetsDST())
		w.foresee(clock, recs)
		gap.To = max(gap.From, clock.UTC(t))
	}
	if gap.Cause == logdb.GapReplaced {
		gap.To = max(gap.To, w.r.now())
	}
}

// foresee has a clock look at the records that follow a break, or begin a log of rows.
func (w *work) foresee(clock *device.Clock, recs [][]byte) {
	h, ok := w.decoder.(*history)
	if !ok {
		return
	}
	var read time.Time
	stamps := w.stamps(recs)
	if w.newest && len(stamps) == len(recs) {
		read = w.r.now().Time()
	}
	h.foresee(stamps, read, clock)
}

// stamps reads the times of records, up to one that has none.
func (w *work) stamps(recs [][]byte) (out []device.TStamp) {
	for _, rec := range recs {
		t, err := w.log.ParseStamp(rec)
		if err != nil {
			break
		}
		out = append(out, t)
	}
	return out
}

// lacksStarts reports whether a log of which nothing but starts that wait is stored has another memory now than theirs.
func (w *work) lacksStarts(ctx context.Context, s session, first uint32) (bool, error) {
	d, ok := w.decoder.(interface{ waiting() []logdb.OpenStart })
	if !ok || len(d.waiting()) == 0 || first >= s.extent().Used {
		return false, nil
	}
	if err := w.lookForStarts(ctx, s, first); err != nil {
		return false, err
	}
	lacks, last := false, logdb.Millis(0)
	for _, o := range d.waiting() {
		lacks, last = lacks || !w.memory[string(o.Raw)], max(last, o.Start)
	}
	if lacks {
		w.lastAt, w.clock = last, device.NewClock(w.t.Zone, last, w.clock.SetsDST())
	}
	return lacks, nil
}

// lookForStarts finds out which of the starts that wait stand in the memory that is there now: they came
// behind the break, and their ends may still come.
func (w *work) lookForStarts(ctx context.Context, s session, first uint32) error {
	d, ok := w.decoder.(interface{ waiting() []logdb.OpenStart })
	if !ok || len(d.waiting()) == 0 {
		return nil
	}
	recs, err := s.fetch(ctx, first, s.extent().Used)
	if err != nil {
		return err
	}
	w.memory = map[string]bool{}
	for _, rec := range recs {
		w.memory[string(rec)] = true
	}
	return nil
}

// pump moves records from st.Next to the end of the log. Each batch begins with the last
// record of the one before, so that nothing can move between them unseen.
func (w *work) pump(ctx context.Context, s session, st *LogState, out *Outcome) error {
	size := minBatch
	for st.Next < s.extent().Used {
		if w.r.Room != nil {
			if err := w.r.Room(); err != nil {
				return fmt.Errorf("go on with log %s at record %d: %w", w.log.Name, st.Next, err)
			}
		}
		n := min(size, int(s.extent().Used-st.Next))
		if u := w.decoder.unit(); u > 1 {
			if n = min(n, u); n < u {
				return nil // the rest of this capture is not there yet
			}
		}
		began := time.Now()
		from := st.Next
		if w.prev != nil && from > 0 {
			from--
		}
		recs, err := s.fetch(ctx, from, st.Next+uint32(n))
		if err != nil {
			return err
		}
		if err := s.held(ctx); err != nil {
			return err
		}
		if from < st.Next {
			if !bytes.Equal(recs[0], w.prev) {
				return fmt.Errorf("log %s before record %d: %w", w.log.Name, st.Next, ErrShifted)
			}
			recs = recs[1:]
		}
		if err := w.sameSettings(ctx, s.registers()); err != nil {
			return err
		}
		recs, short, err := w.present(ctx, s, recs, st.Next+uint32(n))
		if err != nil {
			return err
		}
		if len(recs) == 0 {
			return short
		}
		if recs, err = w.together(ctx, s, st.Next, recs); err != nil {
			return err
		}
		n = len(recs)
		w.newest = st.Next+uint32(n) == s.extent().Used
		if w.pending != nil && w.prev == nil {
			w.until(w.pending.Gap, recs) // a full memory may have moved since the gap was found
		}
		batches, err := w.decoder.decode(ctx, w, recs)
		if err != nil {
			return err
		}
		for i := range batches {
			if err := w.append(ctx, batches[i], out); err != nil {
				return err
			}
		}
		w.prev = recs[len(recs)-1]
		w.tail = append(w.tail, recs[max(0, len(recs)-searchRecords):]...)
		w.tail = w.tail[max(0, len(w.tail)-searchRecords):]
		st.Next += uint32(n)
		st.SetsDST = st.SetsDST || w.clock.SetsDST()
		out.Records += n
		w.r.tell(st)
		if short != nil {
			return short
		}
		if time.Since(began) < batchTime/2 {
			size = min(2*size, maxBatch)
		}
	}
	return nil
}

// together returns those of the records at an index that make one recording; others do not belong together. What is no recording is read
// again first: it stays unreadable.
func (w *work) together(ctx context.Context, s session, at uint32, recs [][]byte) ([][]byte, error) {
	d, ok := w.decoder.(*waves)
	if !ok {
		return recs, nil
	}
	if _, err := device.AssembleCapture(recs); err == nil {
		return recs, nil
	}
	again, err := s.fetch(ctx, at, at+uint32(len(recs)))
	if err != nil {
		return nil, err
	}
	if !equalRun(again, recs) {
		return nil, fmt.Errorf("log %s at record %d: %w", w.log.Name, at, ErrShifted)
	}
	return d.rest(recs), nil
}

// present drops what lies behind the last record of the log, where windows are filled up with 0xFF, and tells by short that there is less than
// the log says. Where records follow, that is a slot which was erased and not written, as when the supply fails just then: it is kept,
// as a record that says nothing. end is the index behind recs.
func (w *work) present(ctx context.Context, s session, recs [][]byte, end uint32) (out [][]byte, short, err error) {
	n, used := len(recs), s.extent().Used
	for n > 0 && erased(recs[n-1]) {
		n--
	}
	if n == len(recs) {
		return recs, nil, nil
	}
	if end < used {
		newest, err := s.window(ctx, used-1, 1)
		if err != nil {
			return nil, nil, err
		}
		if err := s.held(ctx); err != nil {
			return nil, nil, err
		}
		if !erased(newest[0]) {
			return recs, nil, nil
		}
	}
	n -= n % w.decoder.unit() // what belongs together stays together
	short = fmt.Errorf("log %s is said to hold %d records and has none at %d: %w", w.log.Name, used, int(end)-len(recs)+n, ErrShifted)
	return recs[:n], short, nil
}

func erased(rec []byte) bool { return len(bytes.Trim(rec, "\xff")) == 0 }

func (w *work) append(ctx context.Context, b logdb.Batch, out *Outcome) error {
	n := len(b.Entries)
	for i := range b.Rows {
		n += b.Rows[i].Len()
	}
	if n == 0 && b.Open == nil {
		return nil
	}
	if w.pending != nil && n > 0 && (b.Kind == 0 || b.Kind == w.kind) {
		if b.Raw == nil {
			b.Raw = make([][]byte, n)
		}
		b.Entries = append(b.Entries, *w.pending)
		b.Raw = append(b.Raw, nil)
		w.pending = nil
		n++
	}
	b.Meter, b.Snapshot, b.At = w.t.UID, w.snapshot, w.r.now()
	if b.Kind == 0 {
		b.Kind = w.kind
	}
	if _, err := w.r.Store.Append(ctx, b); err != nil {
		return fmt.Errorf("store %d entries of log %s: %w", n, w.log.Name, err)
	}
	out.Entries += n
	return nil
}

// stamp converts the time of the next record, counting a step back of the clock as a new run.
func (w *work) stamp(t device.TStamp) (at logdb.Millis, back logdb.Millis) {
	at = w.clock.UTC(t)
	if w.lastAt > 0 && at < w.lastAt {
		back = w.lastAt - at
		w.run++
	}
	w.lastAt = at
	return at, back
}

// unreadable keeps a record that does not decode: its bytes, at the time of the last good one.
func (w *work) unreadable(err error) logdb.Entry {
	return logdb.Entry{Op: logdb.OpGap, Log: w.log.Log, Run: w.run, Generation: w.gen, Time: w.lastAt,
		Gap: &logdb.Gap{From: w.lastAt, To: w.lastAt, Cause: logdb.GapImplausible, Detail: err.Error()}}
}
