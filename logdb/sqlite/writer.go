package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"metermanager/logdb"
	"metermanager/logdb/sqldb"
)

// maxGroup is how many writes are committed together at most.
const maxGroup = 128

// writer is the one goroutine that writes. It takes what waits, runs all of it in one transaction and
// answers after the commit: syncing the disk once for many pages.
type writer struct {
	s          *Store
	jobs       chan *job
	quit       chan struct{}
	done       chan struct{}
	closing    sync.Once
	statements statements
	cache      *cache
	version    int64 // sqldb.DB.Version when the cache was last known to be true
}

// job is one write of one caller.
type job struct {
	what  string
	run   func(*txn) error
	state atomic.Int32
	err   error
	done  chan struct{}
}

const (
	jobWaiting = iota
	jobRunning
	jobGivenUp
)

// txn is the writer's transaction as a job sees it.
type txn struct {
	*conn
	s     *Store
	cache *cache
	// changes counts what was written or changed in the cache: a job that fails before it changed
	// anything needs no rollback.
	changes int
	// rows are live rows that were looked up for the job that runs.
	rows map[rowKey]*logdb.Entry
	// gone are rows among those that were found whose values are not here any more.
	gone map[rowKey]bool
	// summed are rows whose changes cannot be applied any more: the tiers go on counting what they said before.
	summed map[rowKey]bool
}

var errClosed = errors.New("the log database is closed")

func newWriter(ctx context.Context, s *Store) (*writer, error) {
	w := &writer{s: s, jobs: make(chan *job, maxGroup), quit: make(chan struct{}), done: make(chan struct{}), cache: newCache()}
	w.statements.known = map[string]stmt{}
	for _, query := range hotStatements {
		st, err := s.db.PrepareWrite(ctx, query)
		if err != nil {
			return nil, err
		}
		w.statements.known[query] = st
	}
	go w.run()
	return w, nil
}

func (w *writer) close() {
	w.closing.Do(func() { close(w.quit) })
	<-w.done
}

// write runs f in a transaction with what others write at the same time. It returns when the commit is on
// the disk. A caller that gives up while its write still waits leaves nothing; once begun, a write is
// waited for, so that its outcome is always told.
func (s *Store) write(ctx context.Context, what string, f func(*txn) error) error {
	if s.writes == nil {
		return fmt.Errorf("%s: %w", what, sqldb.ErrReadOnly)
	}
	j := &job{what: what, run: f, done: make(chan struct{})}
	select {
	case s.writes.jobs <- j:
	case <-s.writes.quit:
		return fmt.Errorf("%s: %w", what, errClosed)
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", what, ctx.Err())
	}
	select {
	case <-j.done:
	case <-ctx.Done():
		if j.state.CompareAndSwap(jobWaiting, jobGivenUp) {
			return fmt.Errorf("%s: %w", what, ctx.Err())
		}
		<-j.done
	case <-s.writes.done:
		// The writer answers all it has taken before it ends; what it did not take was not written.
		select {
		case <-j.done:
		default:
			return fmt.Errorf("%s: %w", what, errClosed)
		}
	}
	if j.err != nil {
		return fmt.Errorf("%s: %w", what, mapError(j.err))
	}
	return nil
}

func (w *writer) run() {
	defer close(w.done)
	for {
		select {
		case <-w.quit:
			return
		case first := <-w.jobs:
			w.commit(w.take(first))
		}
	}
}

// take returns first and whatever else waits.
func (w *writer) take(first *job) []*job {
	var group []*job
	for next := first; ; {
		if next.state.CompareAndSwap(jobWaiting, jobRunning) {
			group = append(group, next)
		}
		if len(group) == maxGroup {
			return group
		}
		select {
		case next = <-w.jobs:
		default:
			return group
		}
	}
}

// commit writes a group. When a job fails after it changed something, everything is rolled back, and each of
// the others gets a transaction of its own.
func (w *writer) commit(group []*job) {
	if len(group) == 0 {
		return
	}
	err := w.transact(group)
	if errors.Is(err, sqldb.ErrLost) { // nothing is stored: once more on another connection
		err = w.transact(group)
	}
	if err != nil && len(group) > 1 && !errors.Is(err, sqldb.ErrUncertain) {
		for _, j := range group {
			j.err = w.transact([]*job{j})
			close(j.done)
		}
		return
	}
	for _, j := range group {
		if err != nil {
			j.err = err
		}
		close(j.done)
	}
}

// transact runs jobs in one transaction. A job that fails without a trace gets its error alone; any other
// error is returned and nothing was written.
func (w *writer) transact(group []*job) (err error) {
	ctx := context.Background() // a write that has begun is finished
	defer func() {
		if err != nil {
			w.cache = newCache() // it may hold what was rolled back
		}
	}()
	return w.s.db.Write(ctx, func(tx *sql.Tx) error {
		t := &txn{conn: &conn{ctx: ctx, tx: tx, codec: w.s.codec, files: &w.s.files, statements: &w.statements}, s: w.s}
		defer t.close()
		if err := w.freshen(t); err != nil {
			return err
		}
		t.cache = w.cache
		for _, j := range group {
			t.rows, t.gone = nil, nil
			before := t.changes
			j.err = j.run(t)
			if j.err != nil && (t.changes != before || len(group) == 1 || w.s.db.Aborts(j.err)) {
				return j.err
			}
		}
		return t.flush()
	})
}

// freshen forgets the cache when another process has written to the database.
func (w *writer) freshen(t *txn) error {
	version, err := w.s.db.Version(t.ctx, t.tx)
	if err != nil {
		return err
	}
	if version != w.version || w.cache.tooLarge() {
		w.cache = newCache()
		w.version = version
	}
	return nil
}

// exec counts the change.
func (t *txn) exec(query string, args ...any) (sql.Result, error) {
	t.changes++
	return t.conn.exec(query, args...)
}

// insert runs an INSERT that ends in RETURNING and returns the row's number.
func (t *txn) insert(query string, args ...any) (id int64, err error) {
	t.changes++
	_, err = t.one([]any{&id}, query, args...)
	return id, err
}

func (t *txn) nowMillis() logdb.Millis { return logdb.MillisOf(t.s.cfg.Now()) }
