package cloudsync

import "time"

// clock is now for a caller that does not hold s.mu.
func (s *Service) clock() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now()
}

// now is the time, for whoever notes one while he holds s.mu; and it looks whether the clock was set back. What had been
// put off until a time of the wrong clock would wait until the right one gets there, for weeks or years: it is due now.
// All that is noted comes from here, so that no wrong time is noted that is not known to have been seen.
func (s *Service) now() time.Time {
	now := s.cfg.Now().Round(0) // without the monotonic clock, which would hide that this one was set
	back := now.Before(s.seen)
	s.seen = now
	if !back {
		return now
	}
	for _, d := range s.dests {
		d.cache.notAfter(now)
		notAfter(now, &d.breaker.until, &d.breaker.last, &d.breaker.since)
		d.paces.rows.notAfter(now)
		d.paces.waves.notAfter(now)
	}
	return now
}

// notAfter moves every time of the cache that is still to come to now.
func (c *Cache) notAfter(now time.Time) {
	notAfter(now, &c.Blocked, &c.Synced, &c.Scanned, &c.Fetched, &c.FetchDue)
	for _, m := range c.Meters {
		notAfter(now, &m.Retry, &m.Since, &m.LastUpload, &m.Tried, &m.relay.recheck, &m.told.quiet)
		for _, l := range m.Logs {
			notAfter(now, &l.Seen, &l.Compared, &l.Recheck)
		}
	}
}

func (p *pace) notAfter(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	notAfter(now, &p.next)
}

func notAfter(now time.Time, times ...*time.Time) {
	for _, t := range times {
		if t.After(now) {
			*t = now
		}
	}
}
