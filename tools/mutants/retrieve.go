package main

// retrievalMutations break how a record finds its way out of the meter's memory.
func retrievalMutations() []mutation {
	const align, pump = "service/field/retrieve/align.go", "service/field/retrieve/pump.go"
	return []mutation{
		{"one equal record is enough to align", align, []edit{{`	tailRecords   = 8`, `	tailRecords   = 1`}, {`	searchRecords = 64`, `	searchRecords = 1`}}, []test{boundary}},
		{"three equal records are enough to align", align, []edit{{`	tailRecords   = 8`, `	tailRecords   = 3`}, {`	searchRecords = 64`, `	searchRecords = 3`}}, []test{boundary}},
		{"eight equal records elsewhere are enough to align", align, []edit{{`	searchRecords = 64`, `	searchRecords = 8`}}, []test{boundary}},
		{"a step back of the clock opens no run", pump, []edit{{`		w.run++`, `		w.run += 0`}}, []test{{"./service/field/retrieve", "^TestStepBackOpensARun$", nil}}},
		{"a break in the meter's memory leaves no gap entry", pump, []edit{{`	w.pending = &logdb.Entry{`, `	_ = &logdb.Entry{`}}, []test{{"./service/field/retrieve", "^TestReplacedMeter$", nil}, retrieval}},
		{"a gap ends where the memory began when it was found", pump, []edit{{`		if w.pending != nil && w.prev == nil {`, `		if w.pending != nil && w.prev != nil {`}}, []test{{"./service/field/retrieve", "^TestGapEndsAtTheFirstRecordBehindIt$", nil}}},
		{"that records are decoded under another zone is noted only at the end", "service/field/retrieve/catchup.go", []edit{{`	err := u.m.setDecoded(ctx, u.meter.UID, "")`, `	err := error(nil)`}}, []test{{"./service/field/retrieve", "^TestZoneSetBackInMidDecoding$", nil}}},
		{"fill bytes behind the last record are taken for records", pump, []edit{{`		if len(bytes.Trim(rec, "\xff")) == 0 {`, `		if len(rec) == 0 {`}}, []test{{"./service/field/retrieve", "^TestRolledOverDuringRetrieval$", nil}, retrieval}},
		{"a full memory that says for a moment that it is empty is read again", pump, []edit{{`	if s.status.Used == 1 {`, `	if s.status.Used == 0 {`}}, []test{{"./service/field/retrieve", "^TestFullMemoryIsSaidToBeEmpty$", nil}}},
		{"an event during which the clock was set back took no time", "service/field/retrieve/events.go", []edit{{`		x.DurationSeconds, e.Why = math.NaN(), endedBefore`, `		x.DurationSeconds = 0`}}, []test{{"./service/field/retrieve", "^TestLimitPairing$", nil}}},
	}
}

// archiveMutations break what happens to values that left the database.
func archiveMutations() []mutation {
	const virtual = "./service/e2e/virtual"
	return []mutation{
		{"a new version of values that are gone counts beside them", "logdb/sqlite/gone.go", []edit{{`		if row != nil && t.gone[rowKey{o.id, p}] {`, `		if row != nil && t.gone[rowKey{}] {`}}, []test{{virtual, "^TestSumsOutliveTheirValues$", nil}}},
	}
}
