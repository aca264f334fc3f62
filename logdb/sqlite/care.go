package sqlite

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"metermanager/logdb"
)

const usedArchives = `SELECT name, size, sha256 FROM archive WHERE state IN (1, 2) ORDER BY name`

// CheckArchive reads every archive file that is in use and compares it with the checksum that was taken when it was
// verified. It returns the files that are missing or not as they were written, with what is wrong.
func (s *Store) CheckArchive(ctx context.Context) (bad map[string]error, err error) {
	type file struct {
		name string
		size int64
		sum  []byte
	}
	var all []file
	err = s.snapshot(ctx, "list the archive files", func(c *conn) error {
		return c.each(func(rows *sql.Rows) error {
			var f file
			err := rows.Scan(&f.name, &f.size, &f.sum)
			all = append(all, f)
			return err
		}, usedArchives)
	})
	if err != nil {
		return nil, err
	}
	bad = map[string]error{}
	for _, f := range all {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := s.checkArchive(f.name, f.size, f.sum); err != nil {
			if now, listErr := s.usesArchive(ctx, f.name); listErr == nil && !now {
				continue // it was replaced meanwhile
			}
			bad[f.name] = err
		}
	}
	return bad, nil
}

func (s *Store) usesArchive(ctx context.Context, name string) (used bool, err error) {
	err = s.snapshot(ctx, "look for an archive file", func(c *conn) error {
		var n int
		used, err = c.one([]any{&n}, "SELECT 1 FROM archive WHERE state IN (1, 2) AND name = ?", name)
		return err
	})
	return used, err
}

func (s *Store) checkArchive(name string, size int64, sum []byte) error {
	f, err := s.cfg.Archive.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return errors.New("the file is missing")
	}
	if err != nil {
		return err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, io.NewSectionReader(f, 0, size+1))
	switch {
	case err != nil:
		return fmt.Errorf("it cannot be read: %w", err)
	case n != size:
		return fmt.Errorf("it has another length than the %d bytes that were verified", size)
	case !bytes.Equal(h.Sum(nil), sum):
		return errors.New("its content is not what was verified")
	}
	return nil
}

// LogSpace is how many bytes one log of a meter takes in the database and in the archive.
type LogSpace struct {
	Meter                                 logdb.MeterUID
	Kind                                  logdb.Kind
	Records, Tiers, Raw, Account, Archive int64
}

// spaceOf are queries of (meter, kind, bytes) for the tables with data of meters, each with what its bytes are.
var spaceOf = []struct {
	table string
	what  func(*LogSpace) *int64
	query string
}{
	{"chunk", records, `SELECT st.meter, st.kind, sum(length(c.data) + 40) FROM series s JOIN stream st ON st.id = s.stream
		JOIN chunk c ON c.id BETWEEN s.id << 24 AND (s.id << 24) + 16777215 GROUP BY 1, 2`},
	{"head", records, byStream("head", "length(t.data) + 60")},
	{"patch", records, byStream("patch", "ifnull(length(t.data), 0) + 40")},
	{"entry", records, `SELECT meter, kind, sum(length(data) + length(digest) + length(channel) + 60) FROM entry GROUP BY 1, 2`},
	{"sample", records, `SELECT e.meter, e.kind, sum(length(t.data) + 10) FROM sample t JOIN entry e ON e.id = t.entry GROUP BY 1, 2`},
	{"open_start", records, `SELECT meter, kind, sum(length(data) + ifnull(length(raw), 0) + 30) FROM open_start GROUP BY 1, 2`},
	{"roll", tiers, bySeries("roll")},
	{"quarter", tiers, bySeries("quarter")},
	{"raw", raws, byStream("raw", "length(t.data) + length(t.snapshot) + 30")},
	{"fate", account, byStream("fate", "length(t.data) + 20")},
	{"batch", account, byStream("batch", "length(t.chain) + 15")},
	{"claim", account, byStream("claim", "length(t.data) + 20")},
	{"witness", account, byStream("witness", "30")},
	{"ledger", account, byStream("ledger", "35")},
	{"slot", account, byStream("slot", "20")},
	{"seen", account, byStream("seen", "length(t.digest) + 20")},
	{"ended", account, byStream("ended", "10")},
	{"kept", account, byStream("kept", "length(t.data) + 15")},
	{"extent", account, byStream("extent", "length(t.data) + 20")},
	{"series", account, byStream("series", "25")},
	{"cold", account, `SELECT f.meter, f.kind, count(*) * 30 FROM cold c JOIN archive f ON f.id = c.file GROUP BY 1, 2`},
	{"archived", account, `SELECT f.meter, f.kind, count(*) * 30 FROM archived a JOIN archive f ON f.id = a.file GROUP BY 1, 2`},
}

func records(l *LogSpace) *int64 { return &l.Records }
func tiers(l *LogSpace) *int64   { return &l.Tiers }
func raws(l *LogSpace) *int64    { return &l.Raw }
func account(l *LogSpace) *int64 { return &l.Account }

func byStream(table, length string) string {
	return `SELECT st.meter, st.kind, sum(` + length + `) FROM ` + table + ` t JOIN stream st ON st.id = t.stream GROUP BY 1, 2`
}

func bySeries(table string) string {
	return `SELECT st.meter, st.kind, sum(length(t.data) + 15) FROM series s JOIN stream st ON st.id = s.stream
		JOIN ` + table + ` t ON t.id BETWEEN s.id << 24 AND (s.id << 24) + 16777215 GROUP BY 1, 2`
}

// Space says how many bytes each log of each meter takes: of the pages of each table, which were measured by
// sqldb.DB.Space, the share that its rows have of the lengths of all rows. With nil, which takes much less reading, the
// lengths themselves.
func (s *Store) Space(ctx context.Context, tables map[string]int64) ([]LogSpace, error) {
	type key struct {
		meter int64
		kind  logdb.Kind
	}
	sums := map[key]*LogSpace{}
	at := func(k key) *LogSpace {
		if sums[k] == nil {
			sums[k] = &LogSpace{Kind: k.kind}
		}
		return sums[k]
	}
	names := map[int64]logdb.MeterUID{}
	err := s.snapshot(ctx, "measure the logs", func(c *conn) error {
		for _, q := range spaceOf {
			shares, total := map[key]int64{}, int64(0)
			err := c.each(func(rows *sql.Rows) error {
				var k key
				var n int64
				err := rows.Scan(&k.meter, &k.kind, &n)
				shares[k] += n
				total += n
				return err
			}, q.query)
			if err != nil {
				return fmt.Errorf("%s: %w", q.table, err)
			}
			for k, n := range shares {
				if tables != nil {
					n = int64(float64(n) / float64(total) * float64(tables[q.table]))
				}
				*q.what(at(k)) += n
			}
		}
		err := c.each(func(rows *sql.Rows) error {
			var k key
			var n int64
			err := rows.Scan(&k.meter, &k.kind, &n)
			at(k).Archive = n
			return err
		}, "SELECT meter, kind, sum(size) FROM archive WHERE state IN (1, 2) GROUP BY 1, 2")
		if err != nil {
			return err
		}
		return c.each(func(rows *sql.Rows) error {
			var id int64
			var uid logdb.MeterUID
			err := rows.Scan(&id, &uid)
			names[id] = uid
			return err
		}, "SELECT id, uid FROM meter")
	})
	if err != nil {
		return nil, err
	}
	out := make([]LogSpace, 0, len(sums))
	for k, l := range sums {
		l.Meter = names[k.meter]
		out = append(out, *l)
	}
	return out, nil
}
