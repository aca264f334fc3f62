package logdbtest

import (
	"testing"

	"metermanager/logdb"
)

// rule is one sentence of replication.md with the check that a store obeys it.
type rule struct {
	name  string
	check func(f *fixture)
}

// Run checks every rule of replication.md against the store that open opens: as it is, and with the
// store compacted before each page, compacted after each write, closed and opened again after each write, or, if it is a
// logdb.Ladder, with all that it holds moved into its archive before each page or after each write.
func Run(t *testing.T, open Open) {
	nothing, compact := func(*fixture) {}, func(f *fixture) { f.must(f.Compact(f.ctx, f.meter)) }
	archive := func(f *fixture) {
		if l, ok := f.Store.(logdb.Ladder); ok {
			_, err := l.Archive(f.ctx, f.meter, logdb.MaxTime+1)
			f.must(err)
			_, err = l.ArchiveRecordings(f.ctx, f.meter, logdb.MaxTime+1)
			f.must(err)
		}
	}
	settings := []struct {
		name          string
		before, after func(f *fixture)
	}{
		{"as written", nothing, nothing},
		{"compacted before", compact, nothing},
		{"compacted", nothing, compact},
		{"reopened", nothing, (*fixture).reopen},
		{"archived before", archive, nothing},
		{"archived", nothing, archive},
	}
	sections := []struct {
		name  string
		rules []rule
	}{
		{"1 journal", journalRules()},
		{"2 from the meter", meterRules()},
		{"3 streams", streamRules()},
		{"4 receiver", receiverRules()},
		{"4 limits", limitRules()},
		{"5 sources", sourceRules()},
		{"5 contents", contentRules()},
		{"6 totals", totalRules()},
		{"7 verify", verifyRules()},
	}
	for _, section := range sections {
		for _, r := range section.rules {
			for _, setting := range settings {
				t.Run(section.name+"/"+r.name+"/"+setting.name, func(t *testing.T) {
					t.Parallel()
					f := newFixture(t, open)
					f.before, f.after = setting.before, setting.after
					r.check(f)
				})
			}
		}
	}
}
