package main

// retrievalMutations break how a record finds its way out of the meter's memory.
func retrievalMutations() []mutation {
	const ring, history = "service/field/retrieve/ring.go", "service/field/retrieve/history.go"
	const align, pump = "service/field/retrieve/align.go", "service/field/retrieve/pump.go"
	return []mutation{
		{"one equal record is enough to align", align, []edit{{`	tailRecords   = 8`, `	tailRecords   = 1`}, {`	searchRecords = 64`, `	searchRecords = 1`}}, []test{boundary}},
		{"three equal records are enough to align", align, []edit{{`	tailRecords   = 8`, `	tailRecords   = 3`}, {`	searchRecords = 64`, `	searchRecords = 3`}}, []test{boundary}},
		{"eight records of one second are enough to align", align, []edit{{`			near = tail
`, `			near = near[:len(near):len(near)]
`}}, []test{{"./service/field/retrieve", "^TestMarksOfOneSecond$", nil}}},
		{"eight equal records elsewhere are enough to align", align, []edit{{`	searchRecords = 64`, `	searchRecords = 8`}}, []test{boundary}},
		{"what could not be decoded again is not told of", "service/field/retrieve/cycle.go", []edit{{`		err, known = stale, true`, `		known = true`}},
			[]test{{"./service/field/retrieve", "^TestDecodedAgainWhenThereIsRoom$", nil}}},
		{"a note that could not be stored is taken for one that was", "service/field/retrieve/catchup.go", []edit{{`x == old && !m.unstored[uid]`, `x == old`}},
			[]test{{"./service/field/retrieve", "^TestDecodingIsNotedBeforeItBegins$", nil}}},
		{"a retrieval that ended as its goroutine was stopped is not kept in the history", "service/field/retrieve/cycle.go", []edit{{`AddHistory(context.WithoutCancel(ctx), item`, `AddHistory(ctx, item`}},
			[]test{{"./service/field/retrieve", "^TestRetrievalThatEndedIsKeptWhenTheProgramEnds$", nil}}},
		{"a step back of the clock opens no run", pump, []edit{{`		w.run++`, `		w.run += 0`}}, []test{{"./service/field/retrieve", "^TestStepBackOpensARun$", nil}}},
		{"a break in the meter's memory leaves no gap entry", pump, []edit{{`	w.pending = &logdb.Entry{`, `	_ = &logdb.Entry{`}}, []test{{"./service/field/retrieve", "^TestReplacedMeter$", nil}, retrieval}},
		{"a gap ends where the memory began when it was found", pump, []edit{{`		if w.pending != nil && w.prev == nil {`, `		if w.pending != nil && w.prev != nil {`}}, []test{{"./service/field/retrieve", "^TestGapEndsAtTheFirstRecordBehindIt$", nil}}},
		{"that records are decoded under another zone is noted only at the end", "service/field/retrieve/catchup.go", []edit{{`	err := u.m.setDecoded(ctx, u.meter.UID, "")`, `	err := error(nil)`}}, []test{{"./service/field/retrieve", "^TestZoneSetBackInMidDecoding$", nil}}},
		{"gaps stay where they were when a zone is put right", "service/field/retrieve/redecode.go", []edit{{`		err = x.gaps(ctx, head.ID, setsDST)`, `		_ = x.gaps`}}, []test{{"./service/field/retrieve", "^TestGapsMoveWithTheZone$", nil}}},
		{"fill bytes behind the last record are taken for records", pump, []edit{{`return len(bytes.Trim(rec, "\xff")) == 0 }`, `return len(rec) == 0 }`}}, []test{{"./service/field/retrieve", "^TestRolledOverDuringRetrieval$", nil}, retrieval}},
		{"what is left of a capture shifts all captures behind it", history, []edit{{`			return recs[:i]
		}`, `			return recs
		}`}}, []test{{"./service/field/retrieve", "^TestRestOfACapture$", nil}}},
		{"records are stored under settings that were changed since they were read", "service/field/retrieve/settings.go", []edit{{`	if !maps.Equal(blocks, w.blocks) {`, `	if len(blocks) > 99 {`}}, []test{{"./service/field/retrieve", "^TestReprogrammedDuringRetrieval$", nil}}},
		{"nothing behind a slot that was erased and not written is read", pump, []edit{{`		if !erased(newest[0]) {`, `		if len(newest) == 0 {`}}, []test{{"./service/field/retrieve", "^TestErasedSlot$", nil}}},
		{"a full memory that says for a moment that it is empty is read again", "service/field/retrieve/session.go", []edit{{`	if s.status.Used == 1 {`, `	if s.status.Used == 0 {`}}, []test{{"./service/field/retrieve", "^TestFullMemoryIsSaidToBeEmpty$", nil}}},
		{"an event during which the clock was set back took no time", "service/field/retrieve/events.go", []edit{{`		x.DurationSeconds, e.Why = math.NaN(), endedBefore`, `		x.DurationSeconds = 0`}}, []test{{"./service/field/retrieve", "^TestLimitPairing$", nil}}},
		{"a log of events goes on where its last event began", "service/field/retrieve/log.go", []edit{{`		if at := w.lastRecord(known, st.SetsDST); at > 0 {`, `		if at := w.lastRecord(known, st.SetsDST); at < 0 {`}}, []test{{"./service/field/retrieve", "^TestEventsInTheRepeatedHour$", nil}}},
		{"a start that waits is another one once its limit watches something else", "service/field/retrieve/alarms.go", []edit{{`return a.LimitID == b.LimitID && a.Type == b.Type }`, `return *a == *b }`}}, []test{{"./service/field/retrieve", "^TestLimitProgrammedAnewWhileOut$", nil}}},
		{"starts that were given up at a break keep a log from being decoded again", "service/field/retrieve/replay.go", []edit{{`if i := len(stored); i == len(p.adds) ||`, `if i := len(stored); i < 0 && `}}, []test{{"./service/field/retrieve", "^TestStartsGivenUpAtABreak$", nil}}},
		{"a start without an end leaves its pass of the repeated hour with the zone", "service/field/retrieve/replay.go", []edit{{`if later := out.Time().Add(pass); wall(`, `if later := out.Time().Add(pass); later.IsZero() && wall(`}}, []test{{"./service/field/retrieve", "^TestGivenUpInTheRepeatedHour$", nil}}},
		{"who adds a meter undoes what the meter told meanwhile", "service/field/retrieve/edit.go", []edit{{`if s.Profile != x.Profile {`, `if s.Profile == x.Profile {`}}, []test{{"./service/field/retrieve", "^TestAddKeepsWhatTheMeterToldMeanwhile$", nil}}},
		{"an end is that of a start behind it", "service/field/retrieve/alarms.go", []edit{{`	d.expect(recs)`, `	d.expect(nil)`}}, []test{{"./service/field/retrieve", "^TestEndBeforeAStartThatWaits$", nil}}},
		{"a start that waits does not count as stored", pump, []edit{{`		lacks, last = lacks || !w.memory[string(o.Raw)], max(last, o.Start)`, `		lacks, last = lacks, max(last, o.Start)`}}, []test{{"./service/field/retrieve", "^TestBreakBehindAStart$", nil}}},
		{"a full log is believed that its newest second holds no more", "service/field/retrieve/log.go", []edit{{`(log.IsHistory() || st.Settled ||`, `(log.IsHistory() || st.Next > 0 ||`}}, []test{{"./service/field/retrieve", "^TestFurtherEventInTheSameSecond$", nil}}},
		{"a window of a ring is taken whatever its index", ring, []edit{{`		if got == want && len(b)`, `		if len(b)`}}, []test{{"./service/field/retrieve", "^TestRingDisturbed$", nil}}},
		{"a window of times is taken for records", ring, []edit{{`		if mode != device.RingRecordsRunning {`, `		if mode > 3 {`}}, []test{{"./service/field/retrieve", "^TestRingDisturbed$", nil}}},
		{"that the meter came round in its ring is not noticed", ring, []edit{{`	if from < s.from {`, `	if s.rings == nil {`}}, []test{{"./service/field/retrieve", "^TestRingComesRound$", nil}}},
		{"a log of the ring family is paused while it is read", "service/field/device/ring.go", []edit{{`	RingRecordsRunning = 2`, `	RingRecordsRunning = 0`}}, []test{{"./service/field/retrieve", "^TestRingValuesAreTheMeters$", nil}}},
		{"a ring that says it holds one record of two times is believed", ring, []edit{{`		if r.head.Used() == 1 && r.head.FirstStamp != r.head.LastStamp {`, `		if r.head.Used() < 0 {`}}, []test{{"./service/field/retrieve", "^TestFullMemoryIsSaidToBeEmpty$", nil}}},
		{"a short and a long flicker record of one time are taken for a clock set back", history, []edit{{`	return w.log.SameFlicker(rec, h.newest[dec])`, `	return true`}}, []test{{"./service/field/retrieve", "^TestRingFlickerBetween$", nil}}},
		{"a flicker record of a clock set back is taken for the one before", history, []edit{{`	return w.log.SameFlicker(rec, h.newest[dec])`, `	return false`}}, []test{{"./service/field/retrieve", "^TestRingFlicker$", nil}}},
		{"short and long flicker are rows of the same channels", history, []edit{{`n == 0 || under != dec ||`, `n == 0 || under == nil ||`}}, []test{{"./service/field/retrieve", "^TestRingFlicker$", nil}}},
	}
}

// archiveMutations break what happens to values that left the database.
func archiveMutations() []mutation {
	const virtual = "./service/e2e/virtual"
	return []mutation{
		{"a new version of values that are gone counts beside them", "logdb/sqlite/gone.go", []edit{{`		if row != nil && t.gone[rowKey{o.id, p}] {`, `		if row != nil && t.gone[rowKey{}] {`}}, []test{{virtual, "^TestSumsOutliveTheirValues$", nil}}},
		{"another zone makes sums anew of which values were lost", "logdb/sqlite/tier.go", []edit{{`slices.BinarySearch(c.view.gone, cell); gone {`, `slices.BinarySearch(c.view.gone, cell); gone && cell < 0 {`}}, []test{{"./logdb/sqlite", "^TestZoneAfterALoss$", nil}}},
		{"a node counts on an archive file that another is removing", "logdb/sqlite/archivefile.go", []edit{{`changed_ms = ? WHERE id = ? AND state = 0`, `changed_ms = ? WHERE id = ?`}}, []test{{"./logdb/sqlite", "^TestTwoNodesDiscard$", nil}}},
		{"a move that runs again goes on behind what was rolled back", "logdb/sqlite/moving.go", []edit{{`			done, points = 0, 0`, `			_ = points`}}, []test{{"./logdb/sqlite", "^TestMovedTwice$", nil}}},
	}
}
