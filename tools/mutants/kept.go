package main

// keptMutations break what becomes of the log of a meter without memory, of a line that many share, and of files.
func keptMutations() []mutation {
	const keeper, endpoint, folder = "service/field/poll/keeper.go", "service/field/modbus/endpoint.go", "service/field/pickup/folder.go"
	return []mutation{
		{"a kept log: counters that are scaled anew go on from what is on record", "service/field/retrieve/unit.go", []edit{{`	if u.meter.Decoded == want {`, `	if u.meter.Decoded != "new" {`}}, []test{{"./service/field/retrieve", "^TestCountersThatAreScaledAnew$", nil}}},
		{"a kept log: after a restart a new generation has the counters of the old one", keeper, []edit{{`anew || e.Generation < k.gen`, `anew`}}, []test{{"./service/field/poll", "^TestNewGenerationSurvivesARestart$", nil}}},
		{"a kept log: a clock that was set back leaves no gap while the meter is silent", keeper, []edit{{`	if k.covered > 0 && at < k.covered-k.interval {`, `	if k.covered < 0 {`}}, []test{{"./service/field/poll", "^TestClockSetBackWhileSilent$", nil}}},
		{"a kept log: where it goes on is told by a correction", keeper, []edit{{` || e.By != "" || e.Op != logdb.OpAdd && e.Op != logdb.OpGap && e.Op != logdb.OpClose`, ``}}, []test{{"./service/field/poll", "^TestRestartBehindCorrections$", nil}}},
		{"a shared line: a connection that is dead above TCP is kept", endpoint, []edit{{`	if e.mute < time.Duration(e.patience)`, `	if e.mute > 0 || e.mute < time.Duration(e.patience)`}}, []test{{"./service/field/modbus", "^TestConnectionThatIsDeadAboveTCP$", nil}}},
		{"a shared line: live values leave logs no turn", "service/field/modbus/queue.go", []edit{{`User: 8, Logs: 8,`, `User: 0, Logs: 0,`}}, []test{{"./service/field/modbus", "^TestLogsHaveTheirTurn$", nil}}},
		{"a file: what it grew by after it was taken is lost", folder, []edit{{`		if now.Sub(m.at) > watchMoved {`, `		if now.Sub(m.at) >= 0 {`}}, []test{{"./service/field/pickup", "^TestFileThatIsStillWritten$", nil}}},
		{"a file: half a number is taken for a number", folder, []edit{{`		if open || err != nil {`, `		if err != nil {`}}, []test{{"./service/field/pickup", "^TestFileThatIsStillWritten$", nil}}},
	}
}
