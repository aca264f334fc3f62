package main

import "slices"

// mutation is one way to break the promise that nothing is lost and nothing doubled.
type mutation struct {
	name  string
	file  string
	edits []edit
	tests []test // the first that fails has caught it
}

// edit replaces a text that stands in the file exactly once.
type edit struct{ old, new string }

// test is what "go test" is told.
type test struct {
	pkg, run string
	args     []string
}

// Tests that catch several mutations.
var (
	crashes     = test{"./logdb/sqlite", "^TestCrashes$", []string{"-seeds", "25"}}
	group       = test{"./logdb/sqlite", "^TestCrashInGroup$", nil}
	journalRule = section("1_journal")
	streamRules = section("3_streams")
	receiver    = section("4_receiver")
	limits      = section("4_limits")
	totals      = section("6_totals")
	random      = test{"./logdb/sqlite", "^TestAgainstModel$", nil}
	manyWriters = test{"./logdb/sqlite", "^TestManyWriters$", nil}
	reduction   = test{"./cloudsync/reduce", "", nil}
	upload      = test{"./cloudsync", "", nil}
	retrieval   = test{"./service/field/retrieve", "", nil}
	boundary    = test{"./service/field/retrieve", "^TestEqualRecordsAtABoundary$", nil}
	faults      = test{"./service/field/retrieve", "^TestFaultsLoseAndDoubleNothing$", nil}
	pairing     = test{"./service/field/retrieve", "^TestLimitPairing$", nil}
	fieldbus    = test{"./service/field/modbus", "", nil}
	taken       = test{"./service/cloud/ingest", "", nil}
	harness     = test{"./service/e2e/virtual", "^TestTorture$", nil}
	lines       = test{"./service/e2e/line", "^TestSpoiledLines$", nil}
)

// section is one section of the rules of replication, which every store must obey.
func section(name string) test {
	return test{"./logdb/sqlite", "^TestConformance$/^" + name + "$", nil}
}

func table() []mutation {
	all := slices.Concat(storeMutations(), receiverMutations(), senderMutations(), bucketMutations(), retrievalMutations(), memoryMutations(), settingsMutations(), journalMutations(), archiveMutations(), keptMutations())
	return append(all, again(all)...)
}

// inHarness are the mutations, one of each kind, that the fault harness alone must notice too: whole programs whose sums, sets and
// records are compared at the end, by one of the seeds that each test run plays. A page that is acknowledged before its commit is not among them: a cloud that
// was away is asked for its sets, and what it lost is sent again.
var inHarness = []string{
	"no fsync at a commit (synchronous=NORMAL)", "Accept forgets the fate of a position",
	"the sets are committed apart from the data", "a late Modbus answer is taken for the next one's", "a bucket is sent before it is closed",
	"a skip is counted twice", "what limits did is counted twice when it is asked for", "a name that was given up stands beside the next",
}

// again tries those of inHarness with nothing but the harness, and that of spoiled lines.
func again(all []mutation) []mutation {
	var out []mutation
	for _, m := range all {
		if slices.Contains(inHarness, m.name) {
			m.name, m.tests = "fault harness: "+m.name, []test{harness, lines}
			out = append(out, m)
		}
	}
	return out
}

// storeMutations break what is promised of a commit.
func storeMutations() []mutation {
	const writer = "logdb/sqlite/writer.go"
	return []mutation{
		{"no fsync at all (synchronous=OFF)", "logdb/sqldb/sqlite.go", []edit{{`q.Set("_synchronous", "FULL")`, `q.Set("_synchronous", "OFF")`}}, []test{crashes}},
		{"no fsync at a commit (synchronous=NORMAL)", "logdb/sqldb/sqlite.go", []edit{{`q.Set("_synchronous", "FULL")`, `q.Set("_synchronous", "NORMAL")`}}, []test{crashes}},
		{"what a killed program had not synced is shown as it is found", "logdb/sqldb/sqlite.go", []edit{{`		q.Set("_auto_vacuum", "INCREMENTAL")
`, ``}}, []test{{"./logdb/sqldb/simdisk", "^TestShownIsDurable$", nil}}},
		{"a group is answered before its commit", writer, []edit{{`	err := w.transact(group)
	if errors.Is(err, sqldb.ErrLost) {`, `	for _, j := range group {
		close(j.done)
	}
	err := w.transact(group)
	group = nil
	if errors.Is(err, sqldb.ErrLost) {`}}, []test{group}},
		{"a group that was committed is run again", writer, []edit{{`	if err != nil && len(group) > 1 && !errors.Is(err, sqldb.ErrUncertain) {`, `	if len(group) > 1 {`}}, []test{manyWriters, group}},
		{"the sets are committed apart from the data", writer, []edit{
			{`	return w.s.db.Write(ctx, func(tx *sql.Tx) error {
		t := &txn{`, `	var t *txn
	err = w.s.db.Write(ctx, func(tx *sql.Tx) error {
		t = &txn{`},
			{`		return t.flush()
	})
}`, `		return nil
	})
	if err != nil {
		return err
	}
	return w.s.db.Write(ctx, func(tx *sql.Tx) error {
		t.conn = &conn{ctx: ctx, tx: tx, codec: w.s.codec, statements: &w.statements}
		defer t.close()
		return t.flush()
	})
}`},
		}, []test{crashes, group}},
		{"the cache keeps what was rolled back", writer, []edit{{`			w.cache = newCache() // it may hold what was rolled back`, `			_ = w.cache`}}, []test{crashes}},
		{"a batch of the journal is appended without its chain", "logdb/sqlite/append.go", []edit{{
			`	if _, err := t.exec(insertBatch, s.id, last, chain[:]); err != nil {`, `	if _, err := t.exec(insertBatch, s.id, last, []byte{}); err != nil {`}}, []test{journalRule}},
		{"an append that failed leaves its positions behind", "logdb/sqlite/append.go", []edit{{`	t.touchStream(own) // before`, `	t.cache.dirtyStreams[own] = true // before`}}, []test{{"./logdb/sqlite", "^TestFailedAppendLeavesNoHole$", nil}}},
	}
}

// receiverMutations break what a node does with pages.
func receiverMutations() []mutation {
	const accept, forget = "logdb/sqlite/accept.go", "logdb/sqlite/forget.go"
	return []mutation{
		{"a page is acknowledged before it is committed", "service/cloud/ingest/ingest.go", []edit{{`	ack, err := s.topic.Publish(ctx, page)
`, `	ack, err := bus.Ack[logdb.Receipt]{Done: true, Result: logdb.Receipt{Stored: records(&page)}}, error(nil)
	go func() { _, _ = s.topic.Publish(context.WithoutCancel(ctx), page) }()
`}}, []test{taken}},
		{"Accept forgets the fate of a position", accept, []edit{{`	r.put(it.position, logdb.FateRange{Fate: logdb.FateStored})
	if it.block >= 0 {`, `	if it.position%7 != 0 {
		r.put(it.position, logdb.FateRange{Fate: logdb.FateStored})
	}
	if it.block >= 0 {`}}, []test{random, receiver}},
		{"Accept takes a row for a repeat by time and value", accept, []edit{{`	if it.block >= 0 {
		if reason := r.overPace(it); reason != "" {`, `	if it.block >= 0 {
		h := &r.page.Rows[it.block]
		if it.row > 0 && h.Times[it.row] == h.Times[it.row-1] && h.Columns[0][it.row] == h.Columns[0][it.row-1] {
			r.put(it.position, logdb.FateRange{Fate: logdb.FateStored})
			r.receipt.Repeats++
			return nil
		}
		if reason := r.overPace(it); reason != "" {`}}, []test{totals, random}},
		{"a skip is counted twice", "logdb/sqlite/slots.go", []edit{{`	r.receipt.Skipped++`, `	r.receipt.Skipped += 2`}}, []test{receiver, limits}},
		{"a revise that comes before its target is dropped", accept, []edit{{`		case !ok || f.Fate == logdb.FateStored ||`, `		case !ok:
			r.put(e.Position, logdb.FateRange{Fate: logdb.FateNotChosen})
		case f.Fate == logdb.FateStored ||`}}, []test{streamRules, journalRule}},
		{"a revise takes a slot of a limit at the receiver", accept, []edit{{`		f, ok := fateOf(r.stream, e.Target)
`, `		if _, err := r.overLimit(e); err != nil {
			return err
		}
		f, ok := fateOf(r.stream, e.Target)
`}}, []test{limits, random}},
		{"a page of another journal under the same id is taken", accept, []edit{{`		if at.Contradict(p.JournalEnd, p.Chain) || s.ends.Contradict(p.JournalEnd, p.Chain) {`, `		if at == nil {`}}, []test{receiver, streamRules}},
		{"Clear empties the sets", forget, []edit{{`	s.revised = false
	t.touchStream(s)`, `	s.revised = false
	s.undecide(1, logdb.MaxPosition)
	t.touchStream(s)`}}, []test{receiver}},
		{"Forget leaves the set", forget, []edit{{`		f.stream.undecide(rows[i], rows[j-1])
`, ``}}, []test{receiver}},
		{"a relay drops the fates", "logdb/sqlite/streams.go", []edit{{`	r.page.Fates = slices.Clone(decided.Ranges())`, `	r.page.Fates = nil`}}, []test{streamRules, random}},
	}
}

// senderMutations break what retrieves and what uploads.
func senderMutations() []mutation {
	const pump, session = "service/field/retrieve/pump.go", "service/field/retrieve/session.go"
	return []mutation{
		{"a late Modbus answer is taken for the next one's", "service/field/modbus/conn.go", []edit{{`		switch {
		case binary.BigEndian.Uint16(answer) != binary.BigEndian.Uint16(adu):`, `		copy(answer, adu[:2])
		switch {
		case binary.BigEndian.Uint16(answer) != binary.BigEndian.Uint16(adu):`}}, []test{fieldbus}},
		{"a window is taken whatever its index", session, []edit{{`		if got == index {`, `		if got == index || ready {`}}, []test{faults, retrieval}},
		{"alignment by index only", "service/field/retrieve/align.go", []edit{{`		if ok, err := matches(ctx, s, near, first, hint); err != nil || ok {
			return place{hint, ok}, err
		}`, `		return place{hint, true}, nil`}}, []test{boundary, retrieval}},
		{"that the memory moved between two batches is not noticed", pump, []edit{{`			if !bytes.Equal(recs[0], w.prev) {`, `			if len(recs) == 0 {`}}, []test{{"./service/field/retrieve", "^TestRolledOverDuringRetrieval$", nil}}},
		{"that somebody else took the log session is not noticed in a batch", pump, []edit{{`		if err := s.held(ctx); err != nil {
			return err
		}
		if from < st.Next {`, `		if from < st.Next {`}}, []test{{"./service/field/retrieve", "^TestSecondManagerOnOurPort$", nil}}},
		{"disengage is forgotten", "service/field/retrieve/log.go", []edit{{`		if derr := s.disengage(ctx); derr != nil {`, `		if derr := error(nil); derr != nil {`}}, []test{pairing, retrieval}},
		{"a batch of records is appended twice", pump, []edit{{`	if _, err := w.r.Store.Append(ctx, b); err != nil {`, `	if n > 1 {
		_, _ = w.r.Store.Append(ctx, b)
	}
	if _, err := w.r.Store.Append(ctx, b); err != nil {`}}, []test{boundary, retrieval}},
		{"a bucket is sent before it is closed", "cloudsync/reduce/bucket.go", []edit{{`(ls.Max - 2*step).Floor(step)`, `ls.Max.Floor(step)`}}, []test{reduction}},
		{"a revise takes a slot of a limit at the sender", "cloudsync/reduce/decide.go", []edit{{`	r, _, ok := d.cut.At(target)
	switch {`, `	d.count(e.Time)
	r, _, ok := d.cut.At(target)
	switch {`}}, []test{reduction}},
		{"what a change gives to a row that was not chosen is dropped", "cloudsync/reduce/decide.go", []edit{{`		if lead == 0 {`, `		if lead == 0 && d == nil {`}}, []test{{"./cloudsync", "^TestChangesOfRowsThatWereNotChosen$", nil}, reduction}},
		{"a row without values is not sent", "cloudsync/reduce/policy.go", []edit{{`	if row == nil || p.all() {`, `	if row == nil || p.all() && len(row.Channels) > 0 {`}}, []test{{"./cloudsync/reduce", "^TestFatesOfRows$", nil}}},
		{"a restored node goes on under its old journal id", "cloudsync/upload.go", []edit{{`	if foreign {`, `	if foreign && u.s == nil {`}}, []test{{"./cloudsync", "^TestAnIDThatWasGivenUpIsNotUsedAgain$", nil}, upload}},
		{"a record that no page can hold gets no fate", "cloudsync/send.go", []edit{{`	return u.push(ctx, &small)`, `	_ = small
	return nil`}}, []test{{"./cloudsync", "^TestRecordThatNoPageCanHoldIsSkipped$", nil}}},
		{"a journal whose channels change goes on under the name that another cloud has", "cloudsync/upload.go", []edit{{`		} else if apart {`, `		} else if apart && u.s == nil {`}},
			[]test{{"./cloudsync", "^TestOtherChannelsComeByAnotherWay$", nil}}},
		{"rows of another interval travel under the name of the others", "cloudsync/name.go", []edit{{`(!st.Policy.SameRows(policy) || u.kind == logdb.KindHistorical && st.combines())`, `!st.Policy.SameChannels(policy)`}},
			[]test{{"./cloudsync", "^TestOtherIntervalsComeByAnotherWay$", nil}}},
		{"a log that begins in the second pass of the repeated hour, and is read in it, is taken for one of the first", "service/field/retrieve/pump.go", []edit{{`		read = w.r.now().Time()`, `		_ = w.r.now()`}},
			[]test{{"./service/field/retrieve", "^TestLogBeginsWhileTheHourIsRepeated$", nil}}},
		{"in which pass of the repeated hour a row was read is forgotten when it is decoded again", "service/field/retrieve/redecode.go", []edit{{`			c.Recall(stamps[0], first.Time, s.Zone)`, `			_ = first.Time`}},
			[]test{{"./service/field/retrieve", "^TestLogBeginsWhileTheHourIsRepeated$", nil}}},
		{"rows of a flicker log leave their pass of the repeated hour when they are decoded again", "service/field/retrieve/redecode.go", []edit{{`	if !ok {
		return nil
	}
	next, err`, `	if !ok || !h.fixed {
		return nil
	}
	next, err`}}, []test{{"./service/field/retrieve", "^TestFlickerInTheRepeatedHour$", nil}}},
		{"the newest record of the first pass of the repeated hour is taken for one of just now", "service/field/device/tstamp.go", []edit{{`	if interval+2*wrong > early-late {`, `	if interval > 24*time.Hour {`}},
			[]test{{"./service/field/device", "^TestForesee$", nil}}},
		{"what is not known of combined rows is taken for what the settings say now", "cloudsync/upload.go", []edit{{`len(u.unknown()) > 0 {`, `len(u.unknown()) > 1<<20 {`}},
			[]test{{"./cloudsync", "^TestRandomLives$", nil}}},
		{"a removed cloud that comes back is one that nothing is known of", "cloudsync/clouddb/clouddb.go", []edit{{`	if err != nil || old == 0 {`, `	if err != nil || old >= 0 {`}},
			[]test{{"./cloudsync", "^TestRemovedCloudComesBack$", nil}}},
		{"a name that was given up stands beside the next", "logdb/analysis/names.go", []edit{{`					out[a] = append(out[a], b)`, `					_ = out[a]`}}, []test{{"./logdb/analysis", "^TestNamesThatWereGivenUp$", nil}}},
		{"of a name that was given up more is answered than the next one lacks", "logdb/analysis/read.go", []edit{{`			if holds(s.older[i].left, v.position) {`, `			if len(s.older[i].left) > 0 {`}}, []test{{"./logdb/analysis", "^TestNamesThatWereGivenUp$", nil}}},
		{"a row that was let go counts as withdrawn", "cloudsync/reduce/compose.go", []edit{{`	if gone == lacks || gone == told`, `	if gone == told`}}, []test{reduction}},
		{"part of an interval is sent for all of it", "cloudsync/reduce/compose.go", []edit{{`		if gone == lacks { // a combination`, `		if gone == lacks && !live { // a combination`}}, []test{reduction}},
		{"rows that were fetched and let go since are asked for without end", "cloudsync/asked.go", []edit{{`				st.Whole.Remove(p, p)`, `				_ = p`}}, []test{{"./cloudsync", "^TestFetchedRowsThatAreGone$", nil}}},
		{"a receipt counts as stored", "cloudsync/send.go", []edit{{`		u.unsure = true // a receipt only, or nothing that is counted: the sets will tell
		return
`, `		u.unsure = false
`}}, []test{{"./cloudsync", "^TestAReceiptIsNotStored$", nil}, upload}},
	}
}
