package sqlite_test

import (
	"database/sql"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"metermanager/logdb"
	"metermanager/logdb/sqlite"
)

// A row that is deleted at random is noticed, whatever it was; and before that nothing is found.
func TestAuditNoticesAnyLostRow(t *testing.T) {
	t.Parallel()
	const day0 = logdb.Millis(1_700_006_400_000)
	for seed := range uint64(24) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(seed, 5))
			path := filepath.Join(t.TempDir(), "logs.db")
			store, err := sqlite.Open(t.Context(), path, sqlite.Config{})
			if err != nil {
				t.Fatal(err)
			}
			var end logdb.Position
			for range 3 + rng.IntN(6) {
				h := logdb.History{Channels: []logdb.ChannelKey{"readings.voltage.an", "energy.interval.wh.received"}, Columns: make([][]float64, 2)}
				for i := range 1 + rng.IntN(30) {
					h.Times = append(h.Times, day0+logdb.Millis(int(end)+i)*600_000)
					h.Columns[0], h.Columns[1] = append(h.Columns[0], float64(rng.IntN(99))), append(h.Columns[1], float64(rng.IntN(99)))
				}
				b := logdb.Batch{Meter: "m", Kind: logdb.KindHistorical, Rows: []logdb.History{h}}
				for i := range h.Times {
					b.Raw = append(b.Raw, []byte{byte(i), byte(seed)})
				}
				done, err := store.Append(t.Context(), b)
				if err != nil {
					t.Fatal(err)
				}
				end = done.Last
				target := 1 + logdb.Position(rng.IntN(int(end)))
				_, err = store.Append(t.Context(), logdb.Batch{Meter: "m", Kind: logdb.KindHistorical, Entries: []logdb.Entry{
					{Op: logdb.OpGap, Time: day0, Gap: &logdb.Gap{From: day0, To: day0, Cause: logdb.GapBusy}},
				}})
				if err != nil {
					t.Fatal(err)
				}
				end++
				if rng.IntN(2) == 0 && target <= done.Last && target >= done.First {
					_, err = store.Append(t.Context(), logdb.Batch{Meter: "m", Kind: logdb.KindHistorical, Entries: []logdb.Entry{
						{Op: logdb.OpWithdraw, Target: target, Time: day0},
					}})
					if err != nil {
						t.Fatal(err)
					}
					end++
				}
				if rng.IntN(3) == 0 {
					if err := store.Compact(t.Context(), "m"); err != nil {
						t.Fatal(err)
					}
				}
			}
			if n := found(t, store); n != 0 {
				t.Fatalf("%d findings before anything was done", n)
			}
			if err := store.Close(); err != nil {
				t.Fatal(err)
			}
			what := loseOne(t, path, rng)
			if store, err = sqlite.Open(t.Context(), path, sqlite.Config{}); err != nil {
				t.Fatal(err)
			}
			defer func() { _ = store.Close() }()
			if found(t, store) == 0 {
				t.Errorf("a row of %s was deleted, and nothing was found", what)
			}
		})
	}
}

// loseOne deletes a row of a table at random and returns which.
func loseOne(t *testing.T, path string, rng *rand.Rand) string {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	for {
		table := []string{"head", "chunk", "roll", "patch", "entry", "claim", "fate", "batch", "extent", "raw", "witness", "ledger"}[rng.IntN(12)]
		var n int
		if err := db.QueryRow("SELECT count(*) FROM " + table).Scan(&n); err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			continue
		}
		key := map[string]string{
			"head": "seq", "batch": "(stream, last)", "patch": "(stream, log, position)", "claim": "(stream, log, day)",
			"witness": "(stream, position)", "ledger": "(stream, what, log, day)",
		}[table]
		if key == "" {
			key = "id"
		}
		bare := key
		if key[0] == '(' {
			bare = key[1 : len(key)-1]
		}
		query := fmt.Sprintf("DELETE FROM %s WHERE %s IN (SELECT %s FROM %s LIMIT 1 OFFSET %d)", table, key, bare, table, rng.IntN(n))
		if _, err := db.Exec(query); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		return table
	}
}

// found counts what an audit of all streams finds.
func found(t *testing.T, store *sqlite.Store) int {
	t.Helper()
	states, err := store.Streams(t.Context(), "m", logdb.KindHistorical)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, st := range append(states, logdb.StreamState{}) {
		a, err := store.Audit(t.Context(), "m", logdb.KindHistorical, st.Stream)
		if err != nil {
			t.Fatal(err)
		}
		n += len(a.Findings)
	}
	return n
}
