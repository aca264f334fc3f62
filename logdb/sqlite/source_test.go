package sqlite_test

import (
	"errors"
	"testing"

	"metermanager/logdb"
)

// A journal of a source that an older version made has no chain. It begins with the next page, and says nothing of what was before.
func TestJournalOfASourceOfAnOlderVersion(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openStore(t, dir)
	post := func(code int64) logdb.StreamState {
		t.Helper()
		accept(t, s, logdb.Page{Meter: "m", Kind: logdb.KindSystem, Source: "key", Entries: []logdb.Entry{{Op: logdb.OpAdd, Time: day0, System: &logdb.SystemEvent{Type: 1, Code: code}}}})
		all, err := s.Streams(ctx, "m", logdb.KindSystem)
		if err != nil || len(all) != 1 {
			t.Fatalf("%+v, %v", all, err)
		}
		return all[0]
	}
	post(1)
	post(2)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, change := range []string{`DELETE FROM batch`, `DELETE FROM ledger WHERE what = 2`, `UPDATE stream SET chain = x''`} {
		byHand(t, dir, change)
	}
	s = openStore(t, dir)
	defer func() { _ = s.Close() }()
	st := post(3)
	e := logdb.Entry{Op: logdb.OpAdd, Position: 3, Time: day0, System: &logdb.SystemEvent{Type: 1, Code: 3}}
	if want := e.Chain(logdb.Digest{}); st.JournalEnd != 3 || st.Chain != want {
		t.Errorf("it ends at %d with %s, want 3 with %s", st.JournalEnd, st.Chain, want)
	}
	for p, want := range map[logdb.Position]logdb.Digest{2: {}, 3: st.Chain} {
		chain, err := s.SourceChainAt(ctx, "m", logdb.KindSystem, st.Stream.Journal, p)
		if chain != want || errors.Is(err, logdb.ErrNotFound) != want.IsZero() {
			t.Errorf("at position %d: %s, %v", p, chain, err)
		}
	}
	for _, page := range []logdb.Page{{JournalEnd: 2}, {JournalEnd: 3, Chain: st.Chain}} { // from a cloud that had it before, and since
		e.Position, e.System = 2, &logdb.SystemEvent{Type: 1, Code: 2}
		page.Meter, page.Kind, page.Stream, page.Entries, page.Seen = "m", logdb.KindSystem, st.Stream, []logdb.Entry{e}, &logdb.End{Position: 3, Chain: st.Chain}
		r, err := s.Accept(ctx, page, logdb.Limits{})
		if err != nil || r.Repeats != 1 {
			t.Errorf("%+v, %v", r, err)
		}
	}
	if n := auditedKind(t, s, logdb.KindSystem); n != 0 {
		t.Errorf("%d findings", n)
	}
}
