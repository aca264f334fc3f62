package cloudsync

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"metermanager/logdb"
	"metermanager/rpc/api"
	"metermanager/rpc/fault"
)

// pending returns how many positions of a log the cloud has not decided. known is false until both
// sides were compared: what the cloud holds is not asked of anybody's memory.
func (l *LogCache) pending() (n int64, known bool) {
	if !l.Known || l.Journal != l.ThereJournal {
		return 0, false
	}
	return l.Missing + int64(l.End) - int64(min(l.ThereEnd, l.End)), true
}

// missingFrom notes that p is missing there.
func (l *LogCache) missingFrom(p logdb.Position) {
	if l.Oldest == 0 || p < l.Oldest {
		l.Oldest = p
	}
}

// contradicted counts a page that the cloud refused because it contradicts what it holds.
func (s *Service) contradicted(d *destination, u *upload, err error) {
	if !errors.Is(err, fault.Conflict) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if m := d.cache.Meters[u.key.Meter]; m != nil && m.Logs[u.kind] != nil {
		m.Logs[u.kind].Conflicts++
	}
}

func (b *breaker) trouble(now time.Time) *api.Trouble {
	if b.err == "" {
		return nil
	}
	return trouble(b.err, b.do, b.since, b.until, now)
}

func trouble(text, do string, since, next, now time.Time) *api.Trouble {
	out := &api.Trouble{Text: text, Do: do}
	if !since.IsZero() {
		out.Since = logdb.MillisOf(since)
	}
	if next.After(now) {
		out.Next = logdb.MillisOf(next)
	}
	return out
}

// advice says what somebody should do about an error of a cloud, of one of its meters or of the whole. What the error itself says of that
// goes before what its kind tells.
func advice(err error, cloud string, ofMeter bool) string {
	const byItself = " Nothing is lost: the records stay here, and sending goes on by itself."
	switch fault.CodeOf(err) {
	case fault.Unauthenticated:
		return "The cloud does not accept the login or key: give it another with cloud.enable USER PASS cloud=" + cloud + ", or cloud.set " + SettingAPIKey + " KEY cloud=" + cloud + "."
	case fault.Forbidden:
		return "The login or key may not do this: its owner at the cloud must allow it (" + needed.String() + ")."
	case fault.NotFound:
		if !ofMeter {
			return "What answers there is no cloud: check the address and the root path (cloud.info)." + byItself
		}
		return "The cloud does not know the meter. It is registered again by itself."
	case fault.Conflict:
		return "What is sent contradicts what the cloud holds: run verify, which names the records."
	case fault.Stale:
		return "Somebody else sends what this node sends, at the same moment." + byItself
	case fault.Invalid, fault.UnsupportedMedia, fault.TooLarge, fault.NotAcceptable, fault.MethodNotAllowed:
		return "The cloud refuses this as it is: compare the versions of both programs, then change a cloud setting of the meter to try again."
	case fault.Full:
		return "The cloud has no room: its owner must make some." + byItself
	case fault.RateLimited:
		return "The cloud is busy." + byItself
	case fault.Damaged:
		return "Something between here and the cloud changes what is sent: look for a proxy, or use https." + byItself
	case fault.Internal:
		return "The cloud, or this program, made a mistake: the log tells more." + byItself
	}
	var f *fault.Error
	if errors.As(err, &f) && f.Hint != "" {
		return f.Hint + byItself
	}
	return "Check the network, and the cloud's address (cloud.info)." + byItself
}

// Progress tells how far each cloud has come with a meter's logs, by kind: the destinations in
// order of their numbers. It never waits for an upload.
func (s *Service) Progress(ctx context.Context, meter logdb.MeterUID) (map[logdb.Kind][]api.LogAtCloud, error) {
	if err := s.load(ctx); err != nil {
		return nil, err
	}
	type place struct {
		log             *LogCache
		oldest, highest logdb.Position
		newest          logdb.Millis // of highest, when that was looked up before
	}
	out, at := map[logdb.Kind][]api.LogAtCloud{}, map[logdb.Kind][]place{}
	now := s.cfg.Now()
	dests := s.destinations()
	s.mu.Lock()
	slices.SortFunc(dests, func(a, b *destination) int { return cmp.Compare(a.conf.ID, b.conf.ID) })
	journals := map[logdb.Kind]logdb.JournalID{}
	for _, d := range dests {
		m := d.cache.Meters[meter]
		if m == nil {
			continue
		}
		for kind, l := range m.Logs {
			if l.End == 0 {
				continue
			}
			out[kind] = append(out[kind], logAtCloud(d, m, l, now))
			p := place{log: l, oldest: l.oldestPending(), highest: l.Highest}
			if l.NewestAt == l.Highest {
				p.newest = l.Newest
			}
			at[kind] = append(at[kind], p)
			journals[kind] = l.Journal
		}
	}
	s.mu.Unlock()
	for kind, list := range out {
		for i := range list {
			var err error
			p := at[kind][i]
			if list[i].OldestPending, err = s.newestTime(ctx, meter, kind, journals[kind], p.oldest, p.oldest); err != nil {
				return nil, err
			}
			if list[i].Last = p.newest; p.newest == 0 {
				if list[i].Last, err = s.newestTime(ctx, meter, kind, journals[kind], p.highest-min(lookedBack, max(p.highest, 1)-1), p.highest); err != nil {
					return nil, err
				}
				s.mu.Lock()
				p.log.NewestAt, p.log.Newest = p.highest, list[i].Last
				s.mu.Unlock()
			}
			if list[i].OldestPending > 0 {
				list[i].LagMS = max(0, int64(logdb.MillisOf(now)-list[i].OldestPending))
			}
		}
	}
	return out, nil
}

// oldestPending is the first position that the cloud has not decided; 0 with none, or when
// that is not known.
func (l *LogCache) oldestPending() logdb.Position {
	switch n, known := l.pending(); {
	case !known || n == 0:
		return 0
	case l.Oldest > 0:
		return l.Oldest
	}
	return min(l.ThereEnd, l.End) + 1
}

func logAtCloud(d *destination, m *MeterCache, l *LogCache, now time.Time) api.LogAtCloud {
	out := api.LogAtCloud{
		Cloud: d.name, Destination: int64(d.conf.ID), Host: d.conf.URL(), JournalEnd: l.End,
		Decided: l.Decided, Skipped: l.Skipped, Reduced: l.Reduced, Conflicts: l.Conflicts, Waiting: l.Waiting,
	}
	if !l.Compared.IsZero() {
		out.Compared = logdb.MillisOf(l.Compared)
	}
	if !m.LastUpload.IsZero() {
		out.LastUpload = logdb.MillisOf(m.LastUpload)
	}
	known := false
	out.Pending, known = l.pending()
	switch {
	case !d.cache.Enabled || !m.Config.Enabled || !m.Config.UploadEnabled:
		out.State = api.CloudOff
	case m.Config.Parked != "":
		out.State = api.CloudParked
	case m.Config.CloudUID == "":
		out.State = api.CloudNotRegistered
	case !known:
		out.State = api.CloudNotCompared
	case out.Pending > 0:
		out.State = api.CloudBehind
	default:
		out.State = api.CloudUpToDate
	}
	if out.State != api.CloudOff {
		out.Trouble = logTrouble(d, m, now)
	}
	return out
}

// logTrouble is what keeps a meter's logs from a cloud: the meter's own error, else the cloud's.
func logTrouble(d *destination, m *MeterCache, now time.Time) *api.Trouble {
	switch {
	case m.Config.Parked != "":
		return trouble(m.Config.Parked, advice(fault.Invalid, d.name, true), m.Since, time.Time{}, now)
	case m.LastError != "":
		next := m.Retry
		if d.breaker.until.After(next) {
			next = d.breaker.until
		}
		return trouble(m.LastError, m.Advice, m.Since, next, now)
	}
	return d.breaker.trouble(now)
}

// lookedBack is among how many of the last positions that a cloud has decided the newest record is looked
// for: a journal is in the order of retrieval, in which the logs of a meter take turns.
const lookedBack = 1000

// newestTime returns the newest time among the records at first to last of an own journal; 0 with none.
func (s *Service) newestTime(ctx context.Context, meter logdb.MeterUID, kind logdb.Kind, journal logdb.JournalID, first, last logdb.Position) (logdb.Millis, error) {
	if last == 0 {
		return 0, nil
	}
	if kind == logdb.KindWaveform { // recordings are large, and one log
		first = last
	}
	page, err := s.logs.ReadStream(ctx, meter, kind, logdb.StreamID{Journal: journal, Policy: "0"}, first, int(last-first)+1)
	if err != nil {
		return 0, fmt.Errorf("read the positions %d to %d of the journal: %w", first, last, err)
	}
	var newest logdb.Millis
	for i := range page.Rows {
		for _, t := range page.Rows[i].Times {
			newest = max(newest, t)
		}
	}
	for i := range page.Entries {
		newest = max(newest, page.Entries[i].Time)
	}
	return newest, nil
}
