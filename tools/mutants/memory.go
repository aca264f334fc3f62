package main

// memoryMutations break what a receiver remembers of records that it does not hold.
func memoryMutations() []mutation {
	const forget, slots = "logdb/sqlite/forget.go", "logdb/sqlite/slots.go"
	return []mutation{
		{"Forget gives no slot of a limit back", forget, []edit{{`	if _, err := f.exec(forgetSlot, s.id, p); err != nil {`, `	if err := error(nil); err != nil {`}}, []test{limits, receiver, random}},
		{"Clear forgets the contents of pages without positions", forget, []edit{{`	if s.source != "" && s.kind == logdb.KindHistorical {`, `	if s.source == "-" {`}}, []test{section("5_sources"), random}},
		{"the contents of a corrected row stay known when it is to be sent again", forget, []edit{{`		if err := f.forgetSuperseded(v.stream, &v.row.entry); err != nil {`, `		if err := error(nil); err != nil {`}}, []test{section("5_contents")}},
		{"revises that come before their targets pass the limits", slots, []edit{{`		if n >= w.Max {`, `		if n >= w.Max && r == nil {`}}, []test{limits, random}},
		{"a skip that came along two ways is counted twice", "service/webapi/count.go", []edit{{` || r.Fate == logdb.FateSkipped && j < i {`, ` {`}},
			[]test{{"./service/webapi", "^TestARecordAlongTwoWaysCountsOnce$", nil}}},
		{"what limits did is counted twice when it is asked for", "service/webapi/count.go", []edit{{`				n += int(left[1] - left[0] + 1)`, `				n += 2 * int(left[1]-left[0]+1)`}},
			[]test{{"./service/webapi", "^TestStreamsDigestsAndLimitCounts$|^TestARecordAlongTwoWaysCountsOnce$", nil}}},
		{"a gap that was told of anew stands beside the old one", "logdb/sqlite/events.go", []edit{{`		if !q.Withdrawn {`, `		if q.Limit < 0 {`}}, []test{section("2_from_the_meter"), random}},
		{"a newer change in another stream of the cut is overlooked", "logdb/sqlite/changed.go", []edit{{`args = append(args, revised[min(i, len(revised)-1)].id)`, `args = append(args, s.id+int64(0*i))`}}, []test{random}},
	}
}

// settingsMutations break what a cloud is told of a meter, by which it cuts days.
func settingsMutations() []mutation {
	return []mutation{
		{"settings of who saw another version are stored", "service/cloud/registry/registry.go", []edit{{`if s.Version != "" && s.Version != m.Settings.Version {`, `if s.Version == "-" {`}},
			[]test{{"./service/cloud/registry", "^TestSettingsHaveAVersion$", nil}}},
		{"settings are told whatever version the cloud has", "cloudsync/tell.go", []edit{{`		settings.Version = answer.Settings.Version
`, `		settings.Version = ""
`}}, []test{{"./cloudsync", "^TestSettingsThatComeOnceMore$", nil}}},
		{"a cloud that agreed once is not asked when another program answers", "cloudsync/tell.go", []edit{{`	i := slices.IndexFunc(t.programs, func(p program) bool { return p.started == started })`, `	i := len(t.programs) - 1`}},
			[]test{{"./cloudsync", "^TestSettingsToldToACopyOfTheCloud$", nil}}},
		{"what was put off until a time of a wrong clock is waited for", "cloudsync/clock.go", []edit{{`	if !back {`, `	if !back || s.loaded {`}},
			[]test{{"./cloudsync", "^TestClockThatWasAhead$", nil}, {"./cloudsync", "^TestClockSetRightDuringAnAction$", nil}}},
		{"verify takes what was uploaded since it looked at the journal for more than this node knows", "cloudsync/verify/cloud.go",
			[]edit{{`sameSets(sets, after) && view.Head.ID == newer.Head.ID && view.Head.End == newer.Head.End && sameSets(was, decided(newer))`, `sameSets(sets, after) && was != nil`}},
			[]test{{"./cloudsync", "^TestVerifyOfASiteAtWork$", nil}}},
		{"a cloud that takes settings otherwise is told for ever", "cloudsync/tell.go", []edit{{`t.tries < mostTries {`, `t.tries > 0 {`}}, []test{{"./cloudsync", "^TestCloudThatTakesSettingsOtherwise$", nil}}},
		{"what somebody else told a cloud of a meter stays there", "cloudsync/tell.go", []edit{{`	case now.Before(t.quiet):`, `	case now.Before(t.quiet), t.others == 0:`}}, []test{{"./cloudsync", "^TestSettingsThatSomebodyElseTold$", nil}}},
		{"who tells a cloud something else of a meter is contradicted each time", "cloudsync/tell.go", []edit{{`	t.quiet = now.Add(pause())`, `	t.quiet = now`}}, []test{{"./cloudsync", "^TestSettingsThatSomebodyElseTold$", nil}}},
		{"a device that a cloud's customer has replaced already is registered once more", "cloudsync/tell.go", []edit{{`		if !sameDevice(f.settings, settings) {`, `		if false {`}}, []test{{"./cloudsync", "^TestMeterReplacedAtTheCloudFirst$", nil}}},
		{"the value at the first moment of a page is looked for in the interval behind", "logdb/analysis/choose.go", []edit{{`		first-- // what stands`, `		// what stands`}},
			[]test{{"./logdb/analysis", "^TestPartsOfARangeWithAlternatives$", nil}}},
		{"the last span of several hours is cut off where the clock is set", "logdb/analysis/calendar.go", []edit{{`out[len(out)-1] < last; {`, `at < last; {`}},
			[]test{{"./logdb/analysis", "^TestEdges$", nil}}},
		{"events of every journal of a day are answered", "service/webapi/event.go", []edit{{`!choice.shows(s, e.Time)`, `choice.journal != nil && !choice.shows(s, 0)`}}, []test{harness}},
	}
}

// journalMutations break what a sender and a receiver know of the end of a journal, by which a restored node is found out.
func journalMutations() []mutation {
	const foreign, send = "cloudsync/foreign.go", "cloudsync/send.go"
	return []mutation{
		{"a restored node asks nobody whether its journal went on elsewhere", foreign, []edit{{`gone || err != nil {
		return gone, err`, `gone && err != nil {
		return gone, err`}}, []test{{"./cloudsync", "^TestAnIDThatWasGivenUpIsNotUsedAgain$", nil}}},
		{"only the newest end of a journal is compared with the receiver's", foreign, []edit{{`Chain: st.Chain}}, st.Ends...)`, `Chain: st.Chain}})`}}, []test{{"./cloudsync", "^TestTwoClonesUploadAtTheSameMoment$", nil}, upload}},
		{"pages do not say where the journal ends", send, []edit{{`				page.JournalEnd, page.Chain = u.head.End, u.head.Chain
`, ``}}, []test{{"./cloudsync", "^TestClockThatWasAhead$", nil}, upload}},
		{"pages do not say which end of the journal was seen", send, []edit{{`	page.Seen = &seen
`, `	page.Seen = nil
`}}, []test{{"./cloudsync", "^TestTwoClonesComeToACloud$", nil}}},
		{"a relay goes on in a journal of which the receiver holds another copy", "cloudsync/relay.go", []edit{{`				if here && there && (`, `				if here && !there && (`}}, []test{{"./cloudsync", "^TestRelayBetweenTwoClones$", nil}}},
		{"a change goes to a cloud ahead of its row", "cloudsync/send.go", []edit{{`			missing = without(missing, early)
`, ``}}, []test{{"./cloudsync", "^TestChangesFollowTheirRows$", nil}}},
		{"what came late goes to a cloud ahead of its interval", "cloudsync/send.go", []edit{{`r.Into < p && waits(r.Into)`, `r.Into < p && false`}}, []test{{"./cloudsync", "^TestChangesFollowTheirRows$", nil}}},
		{"a relay sends a change ahead of its row", "cloudsync/relay.go", []edit{{`			if waits {`, `			if false && waits {`}}, []test{{"./cloudsync", "^TestChangesFollowTheirRows$", nil}}},
		{"a relay sends changes of the sum of rows that the receiver has", "cloudsync/relaywhole.go", []edit{{`e.Target != 0 && sums[e.Target]`, `e.Target != 0 && sums[p]`}}, []test{{"./cloudsync", "^TestChangeOfASumOfWhichTheNextCloudHasTheRows$", nil}}},
		{"what came late for a row that is combined again stays with that row", "cloudsync/settle.go", []edit{{`r.Into == p && r.First > p {`, `false {`}}, []test{{"./cloudsync", "^TestLateRowOfRowsThatAreCombinedAgain$", nil}}},
		{"a row that only the cloud knows to be combined comes at the time of its sum", "cloudsync/asked.go", []edit{{`						c.Whole.Put(stored(p))
`, `						c.Whole.Remove(0, 0)
`}}, []test{{"./cloudsync", "^TestRandomWays$/^4349$", nil}}},
		{"what came late changes the last of rows that were not combined", "cloudsync/reduce/stream.go", []edit{{`if r.Into = first[r.Into]; r.Into != 0 {`, `if r.Into = first[r.Into]; r.Into == 0 {`}}, []test{{"./cloudsync/reduce", "^TestLearn$", nil}}},
		{"a row that takes the place of its sum undoes the correction that came with it", "logdb/sqlite/accept.go", []edit{{`	for i := range r.instead { // before`, `	for i := range r.instead[:0] { // before`}, {`	for i := range r.entries {
		if err := r.hold(r.stream, &r.entries[i]); err != nil {
			return err
		}
`, `	defer func() {
		for i := range r.instead {
			_ = r.replace(r.stream, &r.instead[i])
		}
	}()
	for i := range r.entries {
		if err := r.hold(r.stream, &r.entries[i]); err != nil {
			return err
		}
`}}, []test{section("4_receiver")}},
		{"of a sum that limits skipped only the last row comes", "logdb/sqlite/requested.go", []edit{{`!ok || f.Fate == logdb.FateSkipped {`, `!ok || f.Fate == 0 {`}}, []test{section("4_receiver")}},
		{"what a cloud's limits had skipped and it got on request does not come again when it is emptied", "cloudsync/settle.go", []edit{{`				if st.Whole.Has(p) || st.Fetched.Has(p) {`, `				if st.Whole.Has(p) {`}},
			[]test{{"./cloudsync", "^TestSumsThatTheCloudSkipped$", nil}}},
		{"what changed a fetched sum is not sent again to an emptied cloud", "cloudsync/settle.go", []edit{{`				turns = true
`, ``}}, []test{{"./cloudsync", "^TestFetchedSumsThatAreChanged$", nil}}},
		{"what came late for a fetched sum is not sent again to an emptied cloud", "cloudsync/settle.go", []edit{{`r.Into > r.First || !has(r.Into) {`, `r.Into > 0 {`}}, []test{{"./cloudsync", "^TestFetchedSumsThatAreChanged$|^TestFetchedAgainInShares$", nil}}},
		{"a fetched change stands for the row that it changes", "cloudsync/requested.go", []edit{{`		x.also[of.ID].Put(stored(at))
`, ``}}, []test{{"./cloudsync", "^TestFetchedChangeWithItsSum$", nil}}},
		{"rows that a relay sends for a skipped sum come without their changes", "cloudsync/relayfetch.go", []edit{{`		out = append(out, r.changes[p]...)
`, `		_ = p
`}}, []test{{"./cloudsync", "^TestChangesOfSumsThatTheNextCloudSkipped$", nil}}},
		{"rows that were skipped one by one are not part of the sum that comes", "logdb/sqlite/accept.go", []edit{{`	for _, f := range r.skippedParts(fates, apart) {`, `	for _, f := range r.skippedParts(fates, apart)[:0] {`}}, []test{section("4_receiver")}},
		{"rows that were skipped one by one are not told with a sum from the site", "cloudsync/reduce/compose.go", []edit{{`		c.parts(b, p)
`, ``}}, []test{{"./cloudsync", "^TestSumsOfRowsThatWereSkippedOneByOne$", nil}}},
		{"rows that were skipped one by one are not told with a sum from a relay", "cloudsync/relaysum.go", []edit{{`	page.AddFates(list...)
`, ``}}, []test{{"./cloudsync", "^TestSumsOfRowsThatWereSkippedOneByOne$", nil}}},
		{"rows that were skipped one by one are not part of a sum that is fetched", "logdb/sqlite/accept.go", []edit{{`	return !ok || r.page.Requested && (f.Fate == logdb.FateSkipped || f.Fate == logdb.FateHeld)`, `	return !ok && !r.page.Requested && f.Fate == 0`}}, []test{section("4_receiver")}},
		{"a fetched sum is taken beside a row of it", "logdb/sqlite/accept.go", []edit{{`		if f.Fate != logdb.FateReduced || f.Into <= f.Last || !r.open(f.Into) {
			continue
		}
		if slices`, `		if f.Fate != logdb.FateReduced || f.Into <= f.Last || !r.open(f.Into) || r.page.Requested {
			continue
		}
		if slices`}}, []test{section("4_receiver")}},
		{"a relay makes a block of rows without values", "cloudsync/relaywhole.go", []edit{{` && len(e.Row.Channels) > 0: // a block`, `: // a block`}}, []test{{"./cloudsync", "^TestRelayOfRowsWithoutValues$", nil}}},
		{"a late row is decided by what stands in its interval now", "cloudsync/journal.go", []edit{{`		if rows[i].change > asOf {`, `		if asOf == 0 {`}}, []test{{"./cloudsync", "^TestLateRowsAreDecidedAlike$", nil}}},
		{"a late row is decided by a version that came after it", "cloudsync/reduce/bucket.go", []edit{{` || !was.Row.HasValue() {`, ` {`}}, []test{{"./cloudsync", "^TestLateRowsAreDecidedAlike$", nil}}},
		{"a late row is decided by a version that was moved away", "cloudsync/reduce/bucket.go", []edit{{`was.Time < first || was.Time > last || `, ``}}, []test{{"./cloudsync", "^TestLateRowsAreDecidedAlike$", nil}}},
		{"a late row is decided without the changes that were decided with it", "cloudsync/reduce/bucket.go", []edit{{`		if c.Target == add.Position && c.Position < p {`, `		if c.Target == 0 {`}}, []test{{"./cloudsync", "^TestLateRowsAreDecidedAlike$", nil}}},
		{"a late row is decided without the changes that were decided since its interval was read", "cloudsync/journal.go", []edit{{`func (j *journal) decided() { j.windows = nil }`, `func (j *journal) decided() {}`}}, []test{{"./cloudsync", "^TestLateRowsAreDecidedAlike$", nil}}},
		{"a relay tells of skipped rows with no sum that goes beside blocks of rows", "cloudsync/relay.go", []edit{{`				r.size += r.parts(r.plain, p)`, `				r.size += 0 * int(p)`}}, []test{{"./cloudsync", "^TestSumsOfRowsThatWereSkippedOneByOne$", nil}}},
		{"a relay does not tell of the rows of a sum that is fetched", "cloudsync/relaywhole.go", []edit{{`				size += r.parts(page, p)`, `				size += 0`}}, []test{{"./cloudsync", "^TestFetchedSumsOfRowsThatWereSkippedOneByOne$", nil}}},
		{"a relay tells of the skipped rows of a sum that is fetched only", "cloudsync/relaysum.go", []edit{{`		list = sums.rows[p]`, `		list = sums.skipped[p]`}}, []test{{"./cloudsync", "^TestFetchedSumTellsOfAllItsRows$", nil}}},
		{"a relay sends a sum beside a row of it on request", "cloudsync/relayfetch.go", []edit{{`			if r.lookAtSums().stored[of] {`, `			if r.lookAtSums() == nil {`}}, []test{{"./cloudsync", "^TestFetchedSumsOfRowsThatWereSkippedOneByOne$", nil}}},
		{"a correction that was skipped with its row does not come with the sum", "cloudsync/relay.go", []edit{{`	return r.early, r.changesOfSums(ctx)`, `	return r.early, nil`}}, []test{{"./cloudsync", "^TestCorrectionOfARowThatWasSkippedOneByOne$", nil}}},
		{"a site does not tell of the rows of a sum that is fetched", "cloudsync/reduce/compose.go", []edit{{`!b.page.Requested && !c.skipped(s.ID, q) {`, `(c.skipped == nil || !c.skipped(s.ID, q)) {`}}, []test{{"./cloudsync/reduce", "^TestSumTellsOfItsRows$", nil}}},
		{"a row beside rows that were fetched is taken for their sum", "cloudsync/settle.go", []edit{{`				turned.Put(stored(p))
				st.Whole.Put(stored(p))
			}
		}
`, `				turned.Put(stored(p))
			}
		}
`}}, []test{{"./cloudsync", "^TestRandomWays$/^22111$", nil}}},
		{"the last row of an interval is taken with some of the others", "logdb/sqlite/requested.go", []edit{{`			r.part = append(r.part, into)
`, ``}}, []test{section("4_receiver")}},
		{"a relay sends only the last row of a sum that the next cloud skipped", "cloudsync/relayfetch.go", []edit{{`list := parts[of]; r.asRows(list) {`, `list := parts[of]; r.asRows(list[:0]) {`}}, []test{{"./cloudsync", "^TestSumsThatTheNextCloudSkipped$", nil}}},
		{"a skipped sum that was changed is not sent", "cloudsync/reduce/group.go", []edit{{`if len(c.late[p]) > 0 && !skipped {`, `if len(c.late[p]) > 0 {`}, {`case len(since) > 0 && !skipped:`, `case len(since) > 0:`}}, []test{{"./cloudsync", "^TestSumsThatTheCloudSkipped$", nil}}},
		{"what changed a skipped sum under another policy is not asked for with its rows", "cloudsync/settle.go", []edit{{`		turns = turns || turned.Len() > 0
`, `		turns = turns && turned.Len() > 0
`}}, []test{{"./cloudsync", "^TestSumsThatTheCloudSkipped$", nil}}},
		{"what came late for a skipped sum is taken for a row beside its rows", "cloudsync/settle.go", []edit{{`		late := lateRows(st, whole)
`, `		late := lateRows(st, nil)
`}}, []test{{"./cloudsync", "^TestSumsThatTheCloudSkipped$", nil}}},
		{"what changed a skipped sum is sent before its rows", "cloudsync/asked.go", []edit{{`			continue // it follows the rows that it changes
`, `			sum = 0
`}}, []test{{"./cloudsync", "^TestSumsThatTheCloudSkipped$", nil}}},
		{"a row beside the sum of its interval is not seen", "cloudsync/settle.go", []edit{{`		first = p
`, ``}}, []test{{"./cloudsync", "^TestARowBesideItsSum$", nil}}},
		{"what a cloud has of what is decided in this upload is not looked at", "cloudsync/track.go", []edit{{`	if u.decided() == before || !u.learns() {`, `	if u.decided() >= before {`}}, []test{{"./cloudsync", "^TestRowsThatCameBeforeTheirSum$", nil}}},
		{"a sum is taken beside a row of it that came meanwhile", "logdb/sqlite/accept.go", []edit{{`			out[f.Into] = true`, `			out[0] = true`}}, []test{{"./logdb/sqlite", "^TestConformance$", nil}}},
		{"a change of a row whose sum came without it is dropped", "logdb/sqlite/accept.go", []edit{{`f.Fate == logdb.FateReduced && f.Into < e.Position:`, `f.Fate == logdb.FateReduced && f.Into == 0:`}}, []test{{"./logdb/sqlite", "^TestConformance$", nil}}},
		{"a change of a row is taken on request beside its sum", "logdb/sqlite/accept.go", []edit{{`r.page.Requested && f.Fate != logdb.FateReduced:`, `r.page.Requested:`}}, []test{{"./logdb/sqlite", "^TestConformance$", nil}}},
		{"a relay passes on the change of a row whose interval it has not all of", "cloudsync/relaywhole.go", []edit{{`stored == 0 || ok && here.Fate`, `stored == 0 || (!ok || true) && here.Fate`}}, []test{{"./cloudsync", "^TestChangeOfARowOfAChangedSum$", nil}}},
		{"a relay sends rows in the place of a sum that is kept again and again", "cloudsync/relaywhole.go", []edit{{`		case there.Has(k.first):
			out[k.first] = true`, `		case there.Has(k.first):`}}, []test{{"./cloudsync", "^TestChangeOfARowOfAChangedSum$", nil}}},
		{"a relay calls rows combined that are to be sent again as rows", "cloudsync/relaywhole.go", []edit{{`return ok && m.Time != e.Time, nil`, `return ok && m.Time == e.Time, nil`}}, []test{{"./cloudsync", "^TestRowsToBeSentAgainBesideTheirSum$", nil}}},
		{"a relay calls rows combined whose sum its limits skipped", "cloudsync/relaywhole.go", []edit{{`		return isSkipped(&r.stream.Fates, into), nil`, `		return false, nil`}}, []test{{"./cloudsync", "^TestRowsToBeSentAgainBesideTheirSum$", nil}}},
		{"a page that is cut parts a sum from its rows", "cloudsync/reduce/split.go", []edit{{`			return f.Into`, `			return f.First`}}, []test{{"./cloudsync/reduce", "^TestSplit$", nil}}},
		{"records of a journal that goes on under another id are taken for cleared", "cloudsync/journal.go", []edit{{`	if errors.Is(err, logdb.ErrNotFound) { // its records are not gone`, `	if errors.Is(err, logdb.ErrConflict) { // its records are not gone`}}, []test{{"./cloudsync", "^TestRenewedWhilePagesAreMade$", nil}}},
		{"a relay passes on changes of rows whose sum came under an earlier policy", "cloudsync/relaywhole.go", []edit{{`	for _, o := range r.cut {
		there := r.u.received(o.Stream)`, `	for _, o := range r.cut[:0] {
		there := r.u.received(o.Stream)`}}, []test{{"./cloudsync", "^TestChangeUnderALaterPolicyOfARowWhoseSumIsThere$", nil}}},
		{"a backlog begins with a sum without its rows", "cloudsync/drain.go", []edit{{`f.First < at && f.Into >= at`, `f.First < at && f.Into == 0`}}, []test{{"./cloudsync", "^TestNewestFirstBeginsWithAnInterval$", nil}}},
		{"a correction that waits is called not comparable", "cloudsync/verify/sums.go", []edit{{`	return !stored(t.Into)
`, `	return true
`}}, []test{{"./cloudsync", "^TestVerifyBeforeACorrectionIsPassedOn$", nil}}},
		{"a change that nobody takes is sent again and again", "cloudsync/relay.go", []edit{{`ok && f.Fate == logdb.FateReduced && f.Into < e.Position {`, `ok && f.Fate == logdb.FateReduced && f.Into == 0 {`}}, []test{{"./cloudsync", "^TestChangeThatNobodyTakes$", nil}}},
		{"rows of a sum that was kept do not come when it is sent again", "cloudsync/relaywhole.go", []edit{{`(left.Has(into) || !kept[x.group[0]])`, `!kept[x.group[0]]`}}, []test{{"./cloudsync", "^TestChangeOfARowOfAChangedSum$", nil}}},
		{"a change of a row that a relay sends later is left", "cloudsync/relay.go", []edit{{`if last && (!left[i] || u.unsure) {`, `if last {`}}, []test{{"./cloudsync", "^TestChangeOfARowThatCameLater$", nil}}},
		{"a change of a row that was cleared at a relay waits for ever", "cloudsync/relay.go", []edit{{`	if !r.last {
		return len(here)`, `	if true {
		return len(here)`}}, []test{{"./cloudsync", "^TestChangeOfARowThatWasCleared$", nil}}},
		{"what was sent for a receipt is sent again at once", "cloudsync/send.go", []edit{{`u.early == 0 || u.unsure {`, `u.early == 0 {`}}, []test{{"./cloudsync", "^TestChangesThatCannotFollow$", nil}}},
		{"what came late waits for rows that a cloud does not take", "cloudsync/send.go", []edit{{`return !known || f.Fate == logdb.FateReduced`, `return !known || f.Fate != logdb.FateStored`}}, []test{{"./cloudsync", "^TestChangesThatCannotFollow$", nil}}},
		{"settings that are changed back are taken for those that the cloud has", "cloudsync/tell.go", []edit{{`if conf.Registered != (logdb.Digest{}) { // else`, `if false && conf.Registered != (logdb.Digest{}) { // else`}}, []test{{"./cloudsync", "^TestSettingsThatAreChangedBack$", nil}}},
		{"recordings that one cloud got on request go to the next under another name", "cloudsync/name.go", []edit{{`u.kind == logdb.KindHistorical && st.combines()`, `st.combines()`}}, []test{{"./service/e2e/virtual", "^TestTorture$/^seed$/^70000691$", nil}}},
		{"verify waits for the sum of rows that the cloud has", "cloudsync/verify/sums.go", []edit{{`					x.theirs[f.Into] = true`, `					_ = t`}}, []test{{"./cloudsync", "^TestRandomWays$", nil}}},
		{"who asks a sync that has ended waits for ever", "cloudsync/queues.go", []edit{{`	if over {`, `	if false && over {`}}, []test{{"./cloudsync", "^TestQueuesOfAServiceThatHasEnded$", nil}}},
		{"a relay sends the last row of an interval in the place of all", "cloudsync/relaywhole.go", []edit{{`stored == 0 || ok && here.Fate`, `stored >= 0 || ok && here.Fate`}}, []test{{"./cloudsync", "^TestRelayOfRowsThatStandForASum$", nil}}},
		{"a relay sends the sum of rows that the receiver has", "cloudsync/relaywhole.go", []edit{{`; sums[p] || f.Fate`, `; f.Fate`}}, []test{{"./cloudsync", "^TestRelayOfRowsThatStandForASum$", nil}}},
		{"verify at a relay takes a row for the sum that it stands for", "cloudsync/verify/relay.go", []edit{{`h.Data != want || x.sums.days[k]:`, `h.Data != want:`}}, []test{{"./cloudsync", "^TestVerifyOfASumAgainstItsRows$", nil}}},
		{"rows of a combined one that has not come are decided one by one", "logdb/sqlite/requested.go", []edit{{`		return !r.elsewhere(p), nil`, `		return false, nil`}}, []test{receiver, random}},
		{"a restored relay uses numbers of a journal of a source again", "cloudsync/relay.go", []edit{{`			if have != e.Chain {`, `			if have != e.Chain && e.Position == 0 {`}}, []test{{"./cloudsync", "^TestRestoredRelayOfAJournalOfASource$", nil}}},
		{"a copy of the sender takes other records under its own journal's numbers for repeats", "logdb/sqlite/accept.go", []edit{{`	return chain == p.Chain, err`, `	return chain == p.Chain || err == nil, err`}}, []test{receiver}},
		{"a relay leaves a request for what it has to the site", "cloudsync/relayfetch.go", []edit{{`			send(g)
		}
	}`, `			out.lacks++
		}
	}`}}, []test{{"./cloudsync", "^TestRequestsThroughARelay$", nil}}},
		{"a relay calls a request done before what it lacks has come", "cloudsync/relayfetch.go", []edit{{`		if !ended {`, `		if !ended && r.State == "" {`}}, []test{{"./cloudsync", "^TestRequestsThroughARelay$", nil}}},
		{"a page is taken whatever end of its journal was seen", "logdb/sqlite/accept.go", []edit{{`p.Seen != nil && !own &&`, `p.Seen != nil && !own && end.Position > 1<<60 &&`}}, []test{receiver, random}},
	}
}
