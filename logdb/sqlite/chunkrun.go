package sqlite

import (
	"database/sql"
	"fmt"

	"metermanager/logdb"
)

// chunkRun reads chunks of a series one after the other, those that stand side by side by one query: a query for each costs more than
// reading it, most of all where the database is a server.
type chunkRun struct {
	conn   *conn
	chunks []chunkRow
	needed []bool // of chunks
	rows   *sql.Rows
	row    storedChunk
	last   int // of the chunks that rows give

	unordered bool // nobody asks for positions
}

// newChunkRun notes which chunks hold something of spans of time, which rise.
func newChunkRun(c *conn, chunks []chunkRow, spans []span) *chunkRun {
	r := &chunkRun{conn: c, chunks: chunks, needed: make([]bool, len(chunks)), last: -1}
	k := 0
	for i := range chunks {
		for k < len(spans) && spans[k].last <= chunks[i].tMin {
			k++
		}
		r.needed[i] = k < len(spans) && spans[k].first <= chunks[i].tMax
	}
	return r
}

// points reads the values of chunk i. Chunks are asked for in rising order, perhaps some not at all.
func (r *chunkRun) points(i int, b *logdb.Block) error {
	if r.rows == nil || i > r.last {
		r.close()
		for r.last = i; r.last+1 < len(r.chunks) && r.needed[r.last+1]; r.last++ {
		}
		if r.last == i {
			return r.conn.points(r.chunks[i].id, b)
		}
		var err error
		if r.rows, err = r.conn.query(readChunks, r.chunks[i].id, r.chunks[r.last].id); err != nil {
			return err
		}
	}
	for r.rows.Next() {
		if err := r.row.scan(r.rows); err != nil {
			return err
		}
		if r.row.id == r.chunks[i].id {
			return r.row.values(r.conn, b, r.unordered)
		}
	}
	if err := r.rows.Err(); err != nil {
		return err
	}
	return fmt.Errorf("chunk %d of series %d: %w", dayOfChunk(r.chunks[i].id), r.chunks[i].id>>dayBits, logdb.ErrNotFound)
}

func (r *chunkRun) close() {
	if r.rows != nil {
		_ = r.rows.Close() // what was read was checked
		r.rows = nil
	}
}
