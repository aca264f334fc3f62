package logdb

import "context"

// Ladder is a store that moves old data down: into files of an archive, into coarser tiers, and away. Whatever
// moves, sets, content keys and limit slots stay, and reads answer the same as long as the archive is there.
type Ladder interface {
	// Archive moves values and whatever else of a meter's historical data ends before a time into archive files. A file is
	// read back and compared before anything leaves the database. Work that a crash has cut short is taken up again.
	Archive(ctx context.Context, meter MeterUID, before Millis) (Moved, error)
	// ArchiveRecordings moves the samples of recordings that began before a time into archive files.
	ArchiveRecordings(ctx context.Context, meter MeterUID, before Millis) (Moved, error)
	// DropTier drops the steps of a tier that lie before a time: the 15-minute tier or the hour tier. What it answered is
	// answered from the archive.
	DropTier(ctx context.Context, meter MeterUID, tier Tier, before Millis) error
	// DropArchive removes archive files of which all lies before a time. The tiers that are left, and the times of the rows, stay.
	DropArchive(ctx context.Context, meter MeterUID, kind Kind, before Millis) (Moved, error)
	// SweepArchive removes files that nothing needs any more, compares some of the others with what was kept apart from
	// them, and reports those that are not as they were written.
	SweepArchive(ctx context.Context) ([]ArchiveFault, error)
	// NotApplied lists the changes of a meter's values that came when what they change was gone, by the time of that. Sums there do
	// not have them.
	NotApplied(ctx context.Context, meter MeterUID, first, last Millis) ([]NotApplied, error)
	// AcceptLoss takes an archive file out of use that is missing or damaged, and records who accepted that, and why. What can still be read
	// of it comes back into the database; the rest is lost: sums of hours and the times of rows stay, and its days are not full any more.
	// A file that is as it was written is ErrInvalid, one that is not known ErrNotFound.
	AcceptLoss(ctx context.Context, name, by, why string) (Loss, error)
	// Losses lists the losses that were accepted, by meter, kind and time; of one meter, or of all with "".
	Losses(ctx context.Context, meter MeterUID) ([]Loss, error)
	// ArchiveFiles lists the files that hold data, by meter, kind and month; of one meter, or of all with "".
	ArchiveFiles(ctx context.Context, meter MeterUID) ([]ArchiveFile, error)
}

// Tier is one of the coarser resolutions that a store keeps.
type Tier int

// The tiers.
const (
	TierQuarter Tier = 1 // 15 minutes
	TierHour    Tier = 2 // 60, 30 or 15 minutes by the zone
)

// Moved counts what went into files, or away.
type Moved struct {
	Files  int   `json:"files"`
	Points int64 `json:"points"` // values, or samples of recordings
	Bytes  int64 `json:"bytes"`
}

// Add adds what moved elsewhere.
func (m *Moved) Add(o Moved) {
	m.Files += o.Files
	m.Points += o.Points
	m.Bytes += o.Bytes
}

// NotApplied is a change of a row whose values are gone.
type NotApplied struct {
	Stream   StreamID
	Log      LogNo
	Time     Millis   // of the row
	Position Position // of the change
}

// ArchiveFile is a file of the archive.
type ArchiveFile struct {
	Name   string // below the archive folder, with slashes
	Meter  MeterUID
	Kind   Kind
	Month  string // 2026-03: in which its spans begin
	Points int64
	Size   int64
	SHA256 [32]byte
}

// ArchiveFault is a file that is not as it was written.
type ArchiveFault struct {
	File ArchiveFile
	Err  error
}

// Loss is what was lost with an archive file, and who accepted it.
type Loss struct {
	Name        string // of the file, below the archive folder
	Meter       MeterUID
	Kind        Kind
	Month       string // 2026-03: in which its spans begin
	First, Last Millis // of what was lost; 0 when all could still be read
	Points      int64  // values, or recordings whose samples are lost
	At          Millis
	By, Why     string
}
