package daemon

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"metermanager/logdb"
	"metermanager/rpc/api"
	"metermanager/rpc/fault"
)

// diskEvery is how often the room on the disk is asked for at most, foldersEvery how often the data folder
// is measured for its own bound.
const (
	diskEvery    = time.Second
	foldersEvery = 10 * time.Second
	// diskRetry is when a sender is told to come back while nothing is taken in.
	diskRetry = time.Minute
)

// diskGuard watches the room on the disk of the data folder. Below alarm it asks for help; below stop
// nothing is taken in any more, while there is still enough room for everything else. It recovers by
// itself, a little above the bound, so that it does not flap.
type diskGuard struct {
	free        func() (int64, error)
	folder      string
	most        int64 // that the data folder may take; 0: no bound
	alarm, stop int64
	now         func() time.Time
	log         *slog.Logger

	mu       sync.Mutex
	at       time.Time // of the last look
	measured time.Time
	used     int64
	level    string
	left     int64
}

// look returns the level and the room that is left.
func (g *diskGuard) look() (level string, left int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	if age := now.Sub(g.at); g.level != "" && age >= 0 && age < diskEvery {
		return g.level, g.left
	}
	left, err := g.room(now)
	if err != nil {
		if g.level == "" {
			g.level = api.DiskOK
		}
		g.at = now
		g.log.Warn("cannot measure the disk", "err", err)
		return g.level, g.left
	}
	before := g.level
	g.at, g.left, g.level = now, left, g.next(left)
	switch {
	case g.level == before || before == "" && g.level == api.DiskOK:
	case g.level == api.DiskStop:
		g.log.Error("take nothing in: no room on the disk", "bytes", left)
	case g.level == api.DiskAlarm && before == api.DiskStop:
		g.log.Warn("go on: there is room on the disk again, but little", "bytes", left)
	case g.level == api.DiskAlarm:
		g.log.Warn("the disk is nearly full", "bytes", left)
	default:
		g.log.Info("there is room on the disk again", "bytes", left)
	}
	return g.level, g.left
}

// next is the level with so much left. The way back is a quarter of the bound longer.
func (g *diskGuard) next(left int64) string {
	stop, alarm := g.stop, g.alarm
	if g.level == api.DiskStop {
		stop += stop / 4
	}
	if g.level != "" && g.level != api.DiskOK {
		alarm += alarm / 4
	}
	switch {
	case left < stop:
		return api.DiskStop
	case left < alarm:
		return api.DiskAlarm
	}
	return api.DiskOK
}

func (g *diskGuard) room(now time.Time) (int64, error) {
	left, err := g.free()
	if err != nil || g.most <= 0 {
		return left, err
	}
	if age := now.Sub(g.measured); g.measured.IsZero() || age < 0 || age >= foldersEvery {
		if g.used, err = folderBytes(g.folder); err != nil {
			return 0, err
		}
		g.measured = now
	}
	return min(left, g.most-g.used), nil
}

// folderBytes is the size of all files below a folder.
func folderBytes(folder string) (sum int64, err error) {
	err = filepath.WalkDir(folder, func(_ string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) { // a temporary file that is gone by now
			return nil
		} else if err != nil {
			return err
		}
		if e.IsDir() && strings.HasPrefix(e.Name(), ".backup-") { // links to files that are counted already
			return fs.SkipDir
		}
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() {
			sum += info.Size()
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("measure the data folder: %w", err)
	}
	return sum, nil
}

// noRoom is the refusal of data while the disk has no room.
type noRoom struct{ error }

// RetryAfter says when to come back.
func (noRoom) RetryAfter() time.Duration { return diskRetry }

// take returns nil while data may be taken in.
func (g *diskGuard) take() error {
	if level, _ := g.look(); level != api.DiskStop {
		return nil
	}
	return noRoom{fault.Wrap(fault.Full, "The disk here has no room; nothing is taken in until there is.", logdb.ErrFull).
		WithHint("Send it again later; nothing needs to be done at the sender.")}
}

// Unwrap shows the fault inside.
func (e noRoom) Unwrap() error { return e.error }

// warnings says what needs somebody's action.
func (g *diskGuard) warnings() []string {
	level, left := g.look()
	what := "on the disk of the data folder"
	if g.most > 0 {
		what = "for the data folder"
	}
	switch level {
	case api.DiskStop:
		return []string{fmt.Sprintf("Only %d MB are left %s: nothing is retrieved or taken in until there is room. The meters keep their records, senders try again.", left>>20, what)}
	case api.DiskAlarm:
		return []string{fmt.Sprintf("Only %d MB are left %s: make room, or move the folder. Below %d MB nothing is taken in.", left>>20, what, g.stop>>20)}
	}
	return nil
}

// run looks from time to time, so that the log tells of it when nobody asks.
func (g *diskGuard) run(ctx context.Context) error {
	tick := time.NewTicker(foldersEvery)
	defer tick.Stop()
	for {
		g.look()
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
