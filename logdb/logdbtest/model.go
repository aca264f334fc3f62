package logdbtest

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"metermanager/logdb"
	"metermanager/logdb/limit"
)

// Config is what a store under test is opened with.
type Config struct {
	// Path is a folder for the store's files. Opening it again after Close finds the data.
	Path string
	Now  func() time.Time // nil: time.Now
	// NewJournalID is called once for each journal that the store makes; nil: random.
	NewJournalID func() logdb.JournalID
}

// Model is the reference: a logdb.Store that keeps every entry in a slice and looks at all of
// them for every answer.
type Model struct {
	mu     sync.Mutex
	cfg    Config
	meters map[logdb.MeterUID]*meter
	ids    map[seriesKey]logdb.SeriesID
}

var _ logdb.Store = (*Model)(nil)

type meter struct {
	settings  *logdb.Settings
	snapshots map[logdb.Digest][]byte
	logs      map[logdb.Kind]*journals
}

// journals is all that is known of one kind of one meter.
type journals struct {
	meter   logdb.MeterUID
	kind    logdb.Kind
	own     *stream
	streams []*stream // own included
	open    []logdb.OpenStart
}

// stream is one stream: the fates of its positions, and the entries that are held.
type stream struct {
	id     logdb.StreamID
	source string
	fates  logdb.FateSet
	end    logdb.Position
	chain  logdb.Digest
	ends   logdb.Ends
	forgot bool          // something was forgotten
	held   []logdb.Entry // rising positions; a cleared or forgotten one is not here

	// Of a journal that this node writes: the chain at the end of each batch or page.
	batches map[logdb.Position]logdb.Digest

	// Of the own journal.
	raw []rawRecord

	// Of the limits: what has taken a slot, and when.
	counts limit.Counts
	slots  map[logdb.Position]slot
	marks  map[logdb.LogNo]limit.Marks

	// Of a journal made from pages without positions: how often each content was seen on one page,
	// the contents of each position, and the ended events that took the place of a start.
	seen     map[string]int
	contents map[logdb.Position][]string
	closed   map[logdb.Position]bool
}

type rawRecord struct {
	logdb.RawRecord
	Log logdb.LogNo
}

type slot struct {
	windows []logdb.Window
	time    logdb.Millis
}

type seriesKey struct {
	meter   logdb.MeterUID
	stream  logdb.StreamID
	log     logdb.LogNo
	channel logdb.ChannelKey
}

// NewModel returns an empty model. Path is not used.
func NewModel(cfg Config) *Model {
	if cfg.NewJournalID == nil {
		cfg.NewJournalID = func() logdb.JournalID {
			var b [16]byte
			_, _ = rand.Read(b[:]) // never fails
			return logdb.JournalID(hex.EncodeToString(b[:]))
		}
	}
	return &Model{cfg: cfg, meters: map[logdb.MeterUID]*meter{}, ids: map[seriesKey]logdb.SeriesID{}}
}

// Close implements logdb.Store.
func (m *Model) Close() error { return nil }

// Compact implements logdb.Store: there is nothing to compact.
func (m *Model) Compact(context.Context, logdb.MeterUID) error { return nil }

func (m *Model) lock() func() {
	m.mu.Lock()
	return m.mu.Unlock
}

// meter returns what is known of a meter, nil when nothing is.
func (m *Model) makeMeter(uid logdb.MeterUID) *meter {
	if m.meters[uid] == nil {
		m.meters[uid] = &meter{snapshots: map[logdb.Digest][]byte{}, logs: map[logdb.Kind]*journals{}}
	}
	return m.meters[uid]
}

// journals returns one kind of one meter; an unknown one is empty and not kept.
func (m *Model) journals(uid logdb.MeterUID, kind logdb.Kind) *journals {
	if known := m.meters[uid]; known != nil && known.logs[kind] != nil {
		return known.logs[kind]
	}
	return &journals{meter: uid, kind: kind}
}

func (m *Model) makeJournals(uid logdb.MeterUID, kind logdb.Kind) *journals {
	known := m.makeMeter(uid)
	if known.logs[kind] == nil {
		known.logs[kind] = &journals{meter: uid, kind: kind}
	}
	return known.logs[kind]
}

func (j *journals) find(id logdb.StreamID) *stream {
	for _, s := range j.streams {
		if s.id == id {
			return s
		}
	}
	return nil
}

func (j *journals) findSource(source string) *stream {
	for _, s := range j.streams {
		if s.source == source {
			return s
		}
	}
	return nil
}

func (j *journals) add(id logdb.StreamID, source string) *stream {
	s := &stream{
		id: id, source: source, batches: map[logdb.Position]logdb.Digest{},
		counts: limit.Counts{}, slots: map[logdb.Position]slot{}, marks: map[logdb.LogNo]limit.Marks{},
		seen: map[string]int{}, contents: map[logdb.Position][]string{}, closed: map[logdb.Position]bool{},
	}
	j.streams = append(j.streams, s)
	return s
}

func (s *stream) at(p logdb.Position) *logdb.Entry {
	if i, there := s.place(p); there {
		return &s.held[i]
	}
	return nil
}

// hold keeps e at its position, instead of what stood there.
func (s *stream) hold(e logdb.Entry) {
	i, there := s.place(e.Position)
	if there {
		s.held[i] = e
		return
	}
	s.held = slices.Insert(s.held, i, e)
}

func (s *stream) drop(p logdb.Position) {
	if i, there := s.place(p); there {
		s.held = slices.Delete(s.held, i, i+1)
	}
}

// place finds a position among what is held, which rises.
func (s *stream) place(p logdb.Position) (i int, there bool) {
	return slices.BinarySearchFunc(s.held, p, func(e logdb.Entry, p logdb.Position) int { return cmp.Compare(e.Position, p) })
}

func (s *stream) decide(p logdb.Position, f logdb.FateRange) {
	f.First, f.Last = p, p
	s.fates.Put(f)
}

// PutSettings implements logdb.Store.
func (m *Model) PutSettings(_ context.Context, uid logdb.MeterUID, s logdb.Settings) error {
	defer m.lock()()
	m.makeMeter(uid).settings = &s
	return nil
}

// Settings implements logdb.Source.
func (m *Model) Settings(_ context.Context, uid logdb.MeterUID) (logdb.Settings, error) {
	defer m.lock()()
	if known := m.meters[uid]; known != nil && known.settings != nil {
		return *known.settings, nil
	}
	return logdb.Settings{}, fmt.Errorf("settings of %s: %w", uid, logdb.ErrUnknownMeter)
}

// Meters implements logdb.Source.
func (m *Model) Meters(context.Context) ([]logdb.MeterUID, error) {
	defer m.lock()()
	var out []logdb.MeterUID
	for uid, known := range m.meters {
		if known.settings != nil || len(known.logs) > 0 {
			out = append(out, uid)
		}
	}
	slices.Sort(out)
	return out, nil
}

// PutSnapshot implements logdb.Store.
func (m *Model) PutSnapshot(_ context.Context, uid logdb.MeterUID, data []byte) (logdb.Digest, error) {
	defer m.lock()()
	id := logdb.DigestOf(data)
	m.makeMeter(uid).snapshots[id] = bytes.Clone(data)
	return id, nil
}

// Snapshot implements logdb.Store.
func (m *Model) Snapshot(_ context.Context, uid logdb.MeterUID, id logdb.Digest) ([]byte, error) {
	defer m.lock()()
	if known := m.meters[uid]; known != nil {
		if data, ok := known.snapshots[id]; ok {
			return bytes.Clone(data), nil
		}
	}
	return nil, fmt.Errorf("snapshot %s of %s: %w", id, uid, logdb.ErrNotFound)
}

// clone copies e so that neither side sees the other's changes. Rows lose nothing but their order of channels.
func clone(e logdb.Entry) logdb.Entry {
	if e.Row != nil {
		r := logdb.Row{}
		order := make([]int, len(e.Row.Channels))
		for i := range order {
			order[i] = i
		}
		slices.SortFunc(order, func(a, b int) int {
			return strings.Compare(string(e.Row.Channels[a]), string(e.Row.Channels[b]))
		})
		for _, i := range order {
			r.Channels = append(r.Channels, e.Row.Channels[i])
			r.Values = append(r.Values, e.Row.Values[i])
		}
		e.Row = &r
	}
	if e.System != nil {
		v := *e.System
		e.System = &v
	}
	if e.Excursion != nil {
		v := *e.Excursion
		e.Excursion = &v
	}
	if e.Gap != nil {
		v := *e.Gap
		e.Gap = &v
	}
	if e.Waveform != nil {
		v := *e.Waveform
		v.RMS, v.Triggers, v.Digital = slices.Clone(v.RMS), slices.Clone(v.Triggers), slices.Clone(v.Digital)
		v.Channels = slices.Clone(v.Channels)
		for i := range v.Channels {
			v.Channels[i].Samples = slices.Clone(v.Channels[i].Samples)
		}
		if v.Source != nil {
			src := *v.Source
			v.Source = &src
		}
		e.Waveform = &v
	}
	return e
}

// entries returns the rows and entries in the order in which they stand in a page or batch.
func entries(rows []logdb.History, more []logdb.Entry) []logdb.Entry {
	var out []logdb.Entry
	for i := range rows {
		for r := range rows[i].Len() {
			out = append(out, clone(rows[i].Entry(r)))
		}
	}
	for _, e := range more {
		out = append(out, clone(e))
	}
	return out
}
