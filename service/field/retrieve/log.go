package retrieve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"metermanager/logdb"
	"metermanager/service/field/device"
	"metermanager/service/field/modbus"
	"metermanager/service/field/poll"
)

// Store is what retrieval needs of the log database.
type Store interface {
	poll.Store
	LastRaw(ctx context.Context, meter logdb.MeterUID, kind logdb.Kind, log logdb.LogNo, n int) ([]logdb.RawRecord, error)
	ReadRaw(ctx context.Context, meter logdb.MeterUID, kind logdb.Kind, log logdb.LogNo, first logdb.Position, n int) ([]logdb.RawRecord, error)
	OpenStarts(ctx context.Context, meter logdb.MeterUID, kind logdb.Kind) ([]logdb.OpenStart, error)
	PutSnapshot(ctx context.Context, meter logdb.MeterUID, data []byte) (logdb.Digest, error)
	Snapshot(ctx context.Context, meter logdb.MeterUID, id logdb.Digest) ([]byte, error)
	ReadEvents(ctx context.Context, q logdb.EventQuery, visit func(logdb.StreamID, *logdb.Entry) error) error
	Settings(ctx context.Context, meter logdb.MeterUID) (logdb.Settings, error)
	PutSettings(ctx context.Context, meter logdb.MeterUID, s logdb.Settings) error
}

// Target is a meter as retrieval sees it.
type Target struct {
	UID      logdb.MeterUID
	Profile  *device.Profile
	Zone     *time.Location
	Conn     Conn
	Identity poll.Identity
	// Correction is for transformer ratios that the meter has wrong.
	Correction device.Correction
}

// Reader retrieves logs.
type Reader struct {
	Store    Store
	Priority modbus.Priority
	Now      func() time.Time
	Logger   *slog.Logger
	Node     string // name of this node, in changes
	// Room, when not nil, is asked before each batch; its error ends the retrieval there.
	Room func() error
	// Progress, when not nil, is told of the state of a log whenever it has changed.
	Progress func(LogState)
}

// Outcome is what one retrieval of one log did.
type Outcome struct {
	Records int // new records of the meter
	Entries int // entries appended to the journal
	Gap     logdb.GapCause
}

const (
	minBatch  = 256
	maxBatch  = 4096
	batchTime = 2 * time.Second
	// silentTries are retrievals in a row that must end in silence before a meter is taken for one without function 0x23:
	// its recordings wait for a day then.
	silentTries = 3
	shifts      = 3 // times that records may move under us before we give up
)

// errAskedBefore ends a retrieval that would only time out again.
var errAskedBefore = fmt.Errorf("%w by this meter", ErrNoRepeat)

// Log stores what is new in one log and brings st up to date. It always disengages; what
// was appended stays, and the next call goes on from there. Nothing is engaged when the
// status block shows nothing new, unless force is set.
func (r *Reader) Log(ctx context.Context, t *Target, log device.Log, st *LogState, force bool) (out Outcome, err error) {
	st.Log = log.Name
	defer func() {
		st.Records += int64(out.Records)
		if err != nil && !errors.Is(err, ErrLogDisabled) {
			if !errors.Is(err, errAskedBefore) { // the first error tells more
				st.LastError, st.ErrorAt = err.Error(), r.now()
			}
			if errors.Is(err, ErrNoRepeat) && !errors.Is(err, errAskedBefore) {
				if st.Silent++; !errors.Is(err, errSilentRepeat) || st.Silent >= silentTries {
					st.NoRepeat = r.now()
				}
			}
		} else {
			st.NoRepeat, st.Silent = 0, 0
			st.LastError, st.ErrorAt = "", 0
		}
	}()
	s, err := newSession(ctx, t.Conn, t.Profile, log, r.Priority)
	if x, refused := modbus.ExceptionOf(err); refused && errors.Is(err, ErrLogDisabled) && st.LastSuccess > 0 { // it was there
		err = fmt.Errorf("log %s, which was read before, is refused now: %w", log.Name, x)
	}
	if err != nil {
		return out, err
	}
	r.looked(s, st)
	if !force && s.extent().repeats && st.NoRepeat > 0 && within(r.now(), st.NoRepeat, logdb.DayMillis) {
		return out, fmt.Errorf("log %s: %w; asked again at %s", log.Name, errAskedBefore, (st.NoRepeat + logdb.DayMillis).String())
	}
	if !force && st.unchanged(s.extent(), t.Identity.Serial) && (log.IsHistory() || st.Settled || s.extent().Used < s.extent().Max) {
		st.LastSuccess = r.now()
		return out, nil
	}
	work, err := r.prepare(ctx, t, log, s, st)
	if err != nil {
		return out, err
	}
	if err := s.check(work.recordSize()); err != nil {
		return out, fmt.Errorf("log %s is unavailable: %w", log.Name, err)
	}
	if err := s.engage(ctx); err != nil {
		return out, errors.Join(err, s.disengage(ctx))
	}
	defer func() {
		if derr := s.disengage(ctx); derr != nil {
			err = errors.Join(err, derr)
		}
	}()
	if err := s.check(work.recordSize()); err != nil {
		return out, fmt.Errorf("log %s is unavailable: %w", log.Name, err)
	}
	for try := 0; ; try++ {
		err = r.run(ctx, s, work, st, &out)
		if err == nil || !errors.Is(err, ErrShifted) && !errors.Is(err, ErrDisturbed) && !errors.Is(err, ErrReprogrammed) || try == shifts {
			break
		}
		somebody := errors.Is(err, ErrDisturbed)
		if err = s.look(ctx); err != nil {
			break
		}
		if somebody { // the meter is as it was
			continue
		}
		// Records that moved may be of another program.
		if work, err = r.prepare(ctx, t, log, s, st); err != nil {
			break
		}
		if err = s.check(work.recordSize()); err != nil {
			err = fmt.Errorf("log %s is unavailable: %w", log.Name, err)
			break
		}
	}
	if err != nil {
		return out, err
	}
	now := s.extent()
	st.Settled = now.Last == st.LastStamp && r.now() >= st.LastSuccess+2000
	st.Used, st.Max, st.LastStamp, st.LastSuccess = now.Used, now.Max, now.Last, r.now()
	st.Serial = t.Identity.Serial
	r.looked(s, st)
	return out, nil
}

// within reports whether less than span has passed since a moment. What lies ahead was noted by a clock that has been set back since: to wait for
// it could take years, so that it is over.
func within(now, since, span logdb.Millis) bool { return now >= since && now < since+span }

// looked notes what the meter says that it holds.
func (r *Reader) looked(s session, st *LogState) {
	st.Look = Look{At: r.now(), Used: s.extent().Used, Max: s.extent().Max, Last: s.extent().Last}
	r.tell(st)
}

func (r *Reader) tell(st *LogState) {
	if r.Progress != nil {
		r.Progress(*st)
	}
}

func (r *Reader) now() logdb.Millis {
	if r.Now == nil {
		return logdb.MillisOf(time.Now())
	}
	return logdb.MillisOf(r.Now())
}

// work is one log on its way into the journal: where it stands and what decodes it.
type work struct {
	r        *Reader
	t        *Target
	log      device.Log
	kind     logdb.Kind
	snapshot logdb.Digest
	blocks   map[string]string // the settings of the log by itself, as the meter gave them
	decoder  decoder

	tail   [][]byte // the last stored raw records
	prev   []byte   // the record before the next one, nil when unknown
	lastAt logdb.Millis
	run    uint32
	gen    uint32
	clock  *device.Clock
	newGen logdb.GapCause // settings changed or meter replaced: why a generation must begin
	detail string
	// pending is the gap of a new generation: it enters with the first records after it, in
	// one transaction, so that a crash between cannot note it twice.
	pending *logdb.Entry
	memory  map[string]bool // at a break: the records that are there now
	newest  bool            // the records that are decoded reach to the end of the log
}

// decoder turns raw records, in order, into entries. Every record given is consumed.
type decoder interface {
	size() int // of a record, 0: any
	begin(ctx context.Context, w *work) error
	// decode takes records and returns a batch without its meter, kind and snapshot.
	decode(ctx context.Context, w *work, recs [][]byte) ([]logdb.Batch, error)
	// lost is called when a new generation begins: what waits cannot be paired any more.
	lost(ctx context.Context, w *work) ([]logdb.Batch, error)
	// unit is how many records belong together at most.
	unit() int
	// records splits a stored raw into the meter's records.
	records(raw []byte) [][]byte
}

func (w *work) recordSize() int { return w.decoder.size() }

func (r *Reader) prepare(ctx context.Context, t *Target, log device.Log, s session, st *LogState) (*work, error) {
	w := &work{r: r, t: t, log: log, kind: log.LogKind()}
	snap, err := w.readSettings(ctx, s.registers())
	if err != nil {
		return nil, err
	}
	data, err := snap.encode()
	if err != nil {
		return nil, fmt.Errorf("encode the settings: %w", err)
	}
	if w.snapshot, err = r.Store.PutSnapshot(ctx, t.UID, data); err != nil {
		return nil, fmt.Errorf("keep the settings: %w", err)
	}
	n := searchRecords
	if w.kind == logdb.KindWaveform {
		n = 1 // one capture is a run of records by itself
	}
	raws, err := r.Store.LastRaw(ctx, t.UID, w.kind, log.Log, n)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrStored, err)
	}
	for _, raw := range raws {
		w.tail = append(w.tail, w.decoder.records(raw.Bytes)...)
		// An event whose end was found later is of the run in which it began.
		w.run, w.gen, w.lastAt = max(w.run, raw.Run), max(w.gen, raw.Generation), raw.Time
	}
	for _, rec := range w.tail {
		at, err := log.ParseStamp(rec)
		st.SetsDST = st.SetsDST || err == nil && at.DST
	}
	if d, ok := w.decoder.(interface{ timed(raw []byte) []byte }); ok {
		known := map[string]logdb.Millis{}
		for _, raw := range raws {
			known[string(d.timed(raw.Bytes))] = raw.Time
		}
		if at := w.lastRecord(known, st.SetsDST); at > 0 {
			w.lastAt = at
		}
	}
	if len(raws) > 0 {
		if err := w.compare(ctx, snap, raws[len(raws)-1].Snapshot, st.SetsDST); err != nil {
			return nil, err
		}
	}
	w.clock = device.NewClock(t.Zone, w.lastAt, st.SetsDST)
	if err := w.decoder.begin(ctx, w); err != nil {
		return nil, err
	}
	if len(raws) == 0 && log.Pairs() {
		return w, w.startsOnly(ctx, st.Serial)
	}
	return w, nil
}

// startsOnly prepares a log of events of which no record is stored but of starts that wait, if any: breaks behind such are told by their gaps
// alone, and the serial number of the meter by the state.
func (w *work) startsOnly(ctx context.Context, serial string) error {
	if now := w.t.Identity.Serial; serial != "" && serial != now {
		w.newGen, w.detail = logdb.GapReplaced, fmt.Sprintf("serial %s instead of %s", now, serial)
	}
	err := w.r.Store.ReadEvents(ctx, logdb.EventQuery{Meter: w.t.UID, Kind: w.kind, Gaps: true}, func(_ logdb.StreamID, e *logdb.Entry) error {
		if e.Log == w.log.Log {
			w.gen = max(w.gen, e.Generation)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read the gaps of the log: %w", err)
	}
	return nil
}

// lastRecord has a clock run over the last stored records and returns the time of the newest, 0 when there is none: an event enters by
// its start, which may be long before. Where the time of a record is known it tells in which pass of a repeated hour the clock stands.
func (w *work) lastRecord(known map[string]logdb.Millis, setsDST bool) (last logdb.Millis) {
	clock := device.NewClock(w.t.Zone, 0, setsDST)
	for _, rec := range w.tail {
		t, err := w.log.ParseStamp(rec)
		if err != nil {
			continue
		}
		if at, ok := known[string(rec)]; ok { // to a fraction of a second, which a record may have apart from its stamp
			clock = device.NewClock(w.t.Zone, at-at%1000, setsDST)
		}
		last = clock.UTC(t)
	}
	return last
}

// compare says whether the log's programming or the meter itself changed since old. Under another
// zone the last record was at another time: without that, the next would look like a step of the clock.
func (w *work) compare(ctx context.Context, now snapshot, id logdb.Digest, setsDST bool) error {
	if id == w.snapshot || id.IsZero() {
		return nil
	}
	data, err := w.r.Store.Snapshot(ctx, w.t.UID, id)
	if errors.Is(err, logdb.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the settings of the last record: %w", err)
	}
	old, err := parseSnapshot(data)
	if err != nil {
		return fmt.Errorf("read the settings of the last record: %w", err)
	}
	if old.Zone != now.Zone {
		if at := w.lastRecord(nil, setsDST); at > 0 {
			w.lastAt = at
		}
		w.run++ // the stored times move away: a row that comes at an old one is not the second of that minute
	}
	switch {
	case old.Serial != now.Serial:
		w.newGen, w.detail = logdb.GapReplaced, fmt.Sprintf("serial %s instead of %s", now.Serial, old.Serial)
	case w.log.IsHistory() && old.Blocks["program"] != now.Blocks["program"]:
		w.newGen, w.detail = logdb.GapSettings, "the log was programmed anew"
	case w.rescaled(old.setup(), now.setup()):
		w.newGen, w.detail = logdb.GapSettings, rescaled
	}
	return nil
}
