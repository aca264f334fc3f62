package logdb

import (
	"cmp"
	"context"
	"math"
)

// Source is anything that log data can be read from. All methods may be called from
// several goroutines; reads never wait for writes.
type Source interface {
	// Meters lists the meters that have settings or data, sorted by UID.
	Meters(ctx context.Context) ([]MeterUID, error)
	// Settings returns the newest settings; ErrUnknownMeter when there are none.
	Settings(ctx context.Context, meter MeterUID) (Settings, error)
	// Series lists every series of a meter with its range, without touching data,
	// ordered by channel, log, stream. Empty for a meter without historical data.
	Series(ctx context.Context, meter MeterUID) ([]Series, error)
	// ReadSeries visits the live values of the given series with first <= time < last,
	// series by series in the order asked, each in order of (time, position). The block
	// is valid only during the call of visit, whose error ends the read.
	ReadSeries(ctx context.Context, ids []SeriesID, first, last Millis, visit func(SeriesID, *Block) error) error
	// ReadBuckets visits, per series, one Bucket for each pair of neighbouring edges (rising,
	// at least two). Quantities that cover an interval fall into (edge, edge], others into [edge, edge).
	ReadBuckets(ctx context.Context, ids []SeriesID, edges []Millis, visit func(SeriesID, []Bucket) error) error
	// ReadEvents visits live events, recordings (without samples) or gaps in order of
	// (time, position). visit's error ends the read.
	ReadEvents(ctx context.Context, q EventQuery, visit func(StreamID, *Entry) error) error
	// Recording returns one live recording with its samples; ErrNotFound.
	Recording(ctx context.Context, meter MeterUID, stream StreamID, p Position) (Entry, error)
	// Streams returns the state of every stream of a meter and kind, own journal first.
	Streams(ctx context.Context, meter MeterUID, kind Kind) ([]StreamState, error)
	// ReadStream returns the entries and fates of a stream from position first on, as a page of
	// at most max entries and ranges of fates in journal order, a range counting once however long it is, dead versions, gaps and closes included.
	// Positions that were never decided here are simply absent. An empty page ends the stream. A page with a revise
	// that is held while its target is decided and not stored is marked requested, so that a replay keeps it.
	ReadStream(ctx context.Context, meter MeterUID, kind Kind, stream StreamID, first Position, max int) (Page, error)
	// Digests computes, from the data, the tally of every series (or kind) and UTC day of
	// a stream, beside the claim that was kept apart when the data came.
	Digests(ctx context.Context, meter MeterUID, kind Kind, stream StreamID) ([]DayDigest, error)
}

// Joint is a Source of which several small reads can be made as one.
type Joint interface {
	// Together runs f. What f reads with the context that it gets, one after the other, costs less and may be of one state.
	// It is not for reads that wait for somebody else.
	Together(ctx context.Context, f func(context.Context) error) error
}

// SeriesFinder is a Source that finds the series of a few channels sooner than all of a meter.
type SeriesFinder interface {
	// SeriesOf is Series of these channels only.
	SeriesOf(ctx context.Context, meter MeterUID, channels []ChannelKey) ([]Series, error)
}

// Store keeps log data. Every method that writes is one transaction, durable when it
// returns nil, and leaves nothing when it returns an error.
type Store interface {
	Source
	// PutSettings stores the newest settings of a meter, which makes the meter known.
	PutSettings(ctx context.Context, meter MeterUID, s Settings) error
	// Append gives the batch the next positions of this node's own journal, making the
	// journal when it is the first. A batch without records returns First 0.
	// ErrInvalid for a revise or withdraw of a position that comes later, or of a revise or withdraw in the same batch.
	Append(ctx context.Context, b Batch) (Appended, error)
	// Accept stores a page of somebody's stream: undecided positions exactly once, the others
	// are repeats. limits (zero: none) are applied to positions that would be stored, in journal order; the reasons of
	// what they skip are marked as this receiver's (limit.Refused).
	//
	// A position that another stream of the same cut has stored or reduced is held here and counts as a repeat.
	// A revise or withdraw takes no slot and gets the fate that its target has in any stream of the cut, stored while that is
	// undecided or the page is requested. Of revises ahead of their targets, with the adds, only as many are taken in a span as limits
	// allow; the others stay undecided, so that they come again. Versions are found by journal and cut: after a change of policy a revise in the new stream supersedes
	// the record that the old stream stored, which stays a record of the old stream in reads and digests. A requested page turns skipped and held positions into stored whatever the limits say; reduced ones only when it holds
	// every row that was reduced into one position, and that one, whose combined row it replaces: else
	// they would count twice. The full variant of a shortened recording takes its place in reads and digests.
	// ErrConflict, and nothing stored: a change that names another change instead of the record that both change, a page of this node's own journal beyond its end (RenewJournal
	// comes first), and a page that states another chain for an end that is known (see Ends). A journal that this node writes itself, its own or one that it makes for a source, knows
	// all its ends: an end that it never had is a conflict too. Only a page without a chain, from who saw nothing (Page.Seen nil), may go on in a journal of a source: this node's own correction.
	// ErrStale, and nothing stored: a page whose sender saw another end of the journal than the farthest that stands here under any of
	// its names, unless that is the page's own end (Page.Seen). A page that does not tell is taken as it is, and so is one of this node's own journal.
	Accept(ctx context.Context, p Page, limits Limits) (Receipt, error)
	// Journal returns this node's own journal; ErrNotFound before the first Append.
	Journal(ctx context.Context, meter MeterUID, kind Kind) (JournalHead, error)
	// ChainAt returns the running hash of the own journal at position p, which must be the
	// end of a batch; ErrNotFound otherwise.
	ChainAt(ctx context.Context, meter MeterUID, kind Kind, p Position) (Digest, error)
	// RenewJournal gives the own journal a new random id and policy-0 stream, keeping every entry
	// and position: what a restored or cloned node does before it sends anything.
	RenewJournal(ctx context.Context, meter MeterUID, kind Kind) (JournalHead, error)
	// SourceChainAt is ChainAt of a journal that this node makes for a source, by the journal's id. A batch is what one page
	// brought. ErrNotFound also for what was taken before such journals had a chain.
	SourceChainAt(ctx context.Context, meter MeterUID, kind Kind, journal JournalID, p Position) (Digest, error)
	// RenewSource is RenewJournal of a journal that this node makes for a source; ErrNotFound when it makes none of that id.
	RenewSource(ctx context.Context, meter MeterUID, kind Kind, journal JournalID) (JournalHead, error)
	// Versions returns the add, the revises and the withdraws of the record at position p that are held of a stream and those that share
	// its cut, by position: the last one is live. Recordings come without samples. ErrNotFound when there is none, as after Clear.
	Versions(ctx context.Context, meter MeterUID, kind Kind, stream StreamID, p Position) ([]Entry, error)
	// LastRaw returns the last n raw records appended for a log, oldest first, for alignment.
	LastRaw(ctx context.Context, meter MeterUID, kind Kind, log LogNo, n int) ([]RawRecord, error)
	// RawAt returns the raw record kept with a position of the own journal; ErrNotFound.
	RawAt(ctx context.Context, meter MeterUID, kind Kind, p Position) (RawRecord, error)
	// ReadRaw returns the raw records of a log at positions from first on, at most n, oldest first; empty at the end.
	ReadRaw(ctx context.Context, meter MeterUID, kind Kind, log LogNo, first Position, n int) ([]RawRecord, error)
	// OpenStarts returns the unpaired event starts that wait beside the own journal.
	OpenStarts(ctx context.Context, meter MeterUID, kind Kind) ([]OpenStart, error)
	// PutSnapshot keeps a meter's settings block and returns its digest; repeats cost nothing.
	PutSnapshot(ctx context.Context, meter MeterUID, data []byte) (Digest, error)
	// Snapshot returns what PutSnapshot kept; ErrNotFound.
	Snapshot(ctx context.Context, meter MeterUID, id Digest) ([]byte, error)
	// Forget removes the live records of a stream whose time lies in [first, last) and takes their
	// positions, those of their revises included, out of the set, so that they can be sent again: their limit slots
	// and content keys are free again. It returns how many records. ErrInvalid for this node's own journal, which has no holes.
	Forget(ctx context.Context, meter MeterUID, kind Kind, stream StreamID, first, last Millis) (int, error)
	// Clear removes the data of one kind of a meter. Sets, content keys, limit slots, journal heads, the raw records
	// that retrieval aligns with and waiting starts stay, so that nothing comes back by itself. Cleared positions are absent from ReadStream.
	Clear(ctx context.Context, meter MeterUID, kind Kind) error
	// Compact merges a meter's head pages into chunks and roll-ups. Safe at any time.
	Compact(ctx context.Context, meter MeterUID) error
	Close() error
}

// SeriesID is a store's own number of a series. It is not the same at two nodes.
type SeriesID int64

// Series is one channel of one meter log in one stream.
type Series struct {
	ID      SeriesID
	Stream  StreamID
	Log     LogNo
	Channel ChannelKey
	// First and Last bound the times, Count the values, as they were stored; revises that move a
	// record may leave the bounds wider than the live values.
	First, Last Millis
	Count       int64
	LastValue   float64 // newest by (time, position)
}

// Block is a run of decoded values of one series. Value i is Mantissas[i] / 10^Exponent,
// but for the Exceptions. It is lent, not given.
type Block struct {
	Times      []Millis
	Positions  []Position // of the original add
	Mantissas  []int64
	Exponent   uint8
	Exceptions []Exception // rising Index
}

// Exception is a value that the decimal form cannot hold.
type Exception struct {
	Index int
	Value float64
}

// Len returns the number of values.
func (b *Block) Len() int { return len(b.Times) }

var pow10 = [...]float64{1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22}

// AppendValues appends the values as doubles, bit for bit as they were stored. Dividing two
// exact numbers rounds correctly; multiplying by an inverse would not.
func (b *Block) AppendValues(out []float64) []float64 {
	n := len(out)
	if b.Exponent == 0 {
		for _, m := range b.Mantissas {
			out = append(out, float64(m))
		}
	} else {
		d := pow10[b.Exponent]
		for _, m := range b.Mantissas {
			out = append(out, float64(m)/d)
		}
	}
	for _, x := range b.Exceptions {
		out[n+x.Index] = x.Value
	}
	return out
}

// Bucket aggregates the live values of one series between two edges. With Count 0 the
// other fields are NaN and 0.
type Bucket struct {
	Count               int64
	Min, Max, Sum       float64
	First, Last         float64
	FirstTime, LastTime Millis
}

// EmptyBucket is the bucket of no values.
func EmptyBucket() Bucket {
	nan := math.NaN()
	return Bucket{Min: nan, Max: nan, Sum: nan, First: nan, Last: nan}
}

// Mean returns Sum / Count, NaN when empty.
func (b Bucket) Mean() float64 { return b.Sum / float64(b.Count) }

// EventQuery selects events by start time in [First, Last). Zero Last means no end.
type EventQuery struct {
	Meter       MeterUID
	Kind        Kind
	First, Last Millis
	Channels    []ChannelKey // limits, PQ: any of these
	Codes       []int64      // system: any of these event types
	LimitIDs    []int64      // limits: any of these
	Gaps        bool         // visit gap entries instead of records
	Withdrawn   bool         // visit dead versions too
	Limit       int          // at most so many; 0 means all
	// After continues behind the last event of an earlier answer.
	After *EventCursor
}

// EventCursor is the place of an event in the order of answers.
type EventCursor struct {
	Time     Millis
	Stream   StreamID
	Position Position // of the record's add
	// Version is the position of one version of the record; 0 stands behind all of them.
	Version Position
}

// CursorAt returns the place of a version of a record.
func CursorAt(s StreamID, e *Entry) EventCursor {
	return EventCursor{Time: e.Time, Stream: s, Position: cmp.Or(e.Target, e.Position), Version: e.Position}
}

// StreamState is what a node knows of one stream.
type StreamState struct {
	Stream     StreamID
	Own        bool
	Source     string // the credential, for a journal made from pages without positions
	Fates      FateSet
	JournalEnd Position // highest end that any page stated
	Chain      Digest   // the sender's running hash at JournalEnd
	Ends       Ends     // the last ends that pages stated; none of a journal that this node writes itself
	Created    Millis
}

// JournalHead is the end of this node's own journal.
type JournalHead struct {
	ID    JournalID
	End   Position
	Chain Digest
}

// Batch is what a node appends to its own journal in one transaction. Rows get their
// positions before Entries; both come without.
type Batch struct {
	Meter   MeterUID
	Kind    Kind
	Rows    []History
	Entries []Entry
	// Raw holds the meter's own bytes of each row and entry in that order, or is nil.
	Raw [][]byte
	// Snapshot is the settings block under which the bytes were decoded.
	Snapshot Digest
	// Open, when not nil, replaces the unpaired starts of the log that it names.
	Open *OpenSet
	At   Millis // when it was retrieved
}

// OpenSet is all unpaired event starts of one log.
type OpenSet struct {
	Log    LogNo
	Starts []OpenStart
}

// OpenStart is an event start that waits for its end.
type OpenStart struct {
	Log   LogNo
	Start Millis
	Event Excursion
	Raw   []byte
}

// Appended tells where a batch went.
type Appended struct {
	Journal     JournalID
	First, Last Position
	Chain       Digest
}

// RawRecord is a record as the meter gave it.
type RawRecord struct {
	Position   Position
	Bytes      []byte
	Run        uint32
	Generation uint32
	Snapshot   Digest
	Time       Millis
}

// Receipt counts what became of a page's rows, events or recordings; its fates are not counted.
type Receipt struct {
	Stored  int // adds, and skips, closes and gaps
	Repeats int // decided before, or held
	Revised int // revises and withdraws that were stored, and open events that got their end
	Skipped int // by this receiver's limits, or with a skipped target
	// Refused lists the positions that Skipped counts.
	Refused []FateRange
}

// DayDigest is the tally of a stream's live records of one UTC day, per series for
// historical data, per log otherwise.
type DayDigest struct {
	Log     LogNo
	Channel ChannelKey // historical only
	Day     Millis
	Data    Tally // computed from the data now
	Claim   Tally // kept apart, in step with every write
	Full    bool  // the day is still held at full resolution
	Lost    bool  // not full because something of it was lost, and somebody has accepted that
}

// Limits are the numbers of the limitor; a zero number means no limit.
type Limits struct {
	HistoricalIntervalMillis int64    `json:"historical_interval_ms"`
	Waveform                 []Window `json:"waveform"`
	System                   []Window `json:"system"`
	Limit                    []Window `json:"limits"`
	PQ                       []Window `json:"pq"`
	WaveformSamples          int      `json:"waveform_samples"`
	WaveformSamplesPerCycle  int      `json:"waveform_samples_per_cycle"`
}

// Window allows Max records in each UTC-aligned span of Millis.
type Window struct {
	Name   string `json:"name"`
	Millis Millis `json:"ms"`
	Max    int    `json:"max"`
}

// DefaultLimits returns the numbers of the cloud's upload rules.
func DefaultLimits() Limits {
	w := func(second, minute, hour, day int) []Window {
		return []Window{{"second", 1_000, second}, {"minute", 60_000, minute}, {"hour", 3_600_000, hour}, {"day", DayMillis, day}}
	}
	return Limits{
		HistoricalIntervalMillis: 60_000,
		Waveform:                 w(1, 5, 25, 50),
		Limit:                    w(2, 10, 50, 100),
		PQ:                       w(10, 30, 100, 200),
		WaveformSamples:          2048,
		WaveformSamplesPerCycle:  256,
	}
}

// Only returns what limits records of kind k, so that rules can be compared that concern it.
func (l Limits) Only(k Kind) Limits {
	var out Limits
	switch k {
	case KindHistorical:
		out.HistoricalIntervalMillis = l.HistoricalIntervalMillis
	case KindWaveform:
		out.Waveform, out.WaveformSamples, out.WaveformSamplesPerCycle = l.Waveform, l.WaveformSamples, l.WaveformSamplesPerCycle
	case KindSystem:
		out.System = l.System
	case KindLimit:
		out.Limit = l.Limit
	case KindPQ:
		out.PQ = l.PQ
	}
	return out
}

// Of returns the windows of kind k.
func (l Limits) Of(k Kind) []Window {
	switch k {
	case KindWaveform:
		return l.Waveform
	case KindSystem:
		return l.System
	case KindLimit:
		return l.Limit
	case KindPQ:
		return l.PQ
	}
	return nil
}
