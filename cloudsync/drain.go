package cloudsync

import (
	"slices"
	"sync"
	"time"

	"metermanager/logdb"
)

// freshRows is how many positions at the end of a journal of rows count as its newest, which go first. Only rows may:
// a receiver with limits of its own must see events in the order of the journal to skip the same ones.
const freshRows = 500

// freshFrom is the position from which on entries of a journal are its newest.
func freshFrom(kind logdb.Kind, end logdb.Position) logdb.Position {
	if kind != logdb.KindHistorical {
		return end + 1
	}
	return end - min(end, freshRows) + 1
}

// notWithin lowers a position at which a stream is cut so that no combined row comes before the others know that they are combined into it.
func notWithin(fates *logdb.FateSet, at logdb.Position) logdb.Position {
	for _, f := range slices.Backward(fates.Ranges()) {
		if f.Fate == logdb.FateReduced && f.First < at && f.Into >= at {
			at = f.First
		}
	}
	return at
}

// splitAt cuts rising ranges at a position.
func splitAt(ranges [][2]logdb.Position, at logdb.Position) (before, from [][2]logdb.Position) {
	for _, r := range ranges {
		switch {
		case r[1] < at:
			before = append(before, r)
		case r[0] >= at:
			from = append(from, r)
		default:
			before = append(before, [2]logdb.Position{r[0], at - 1})
			from = append(from, [2]logdb.Position{at, r[1]})
		}
	}
	return before, from
}

// mayDrain takes a page of what has waited from what this upload may send, and from the rate of the destination.
func (u *upload) mayDrain() error {
	now := u.s.clock()
	if u.began.IsZero() || now.Before(u.began) { // or the clock was set back
		u.began = now // the first page always goes
	} else if now.Sub(u.began) >= u.s.cfg.DrainFor {
		return errMore
	}
	if *u.budget <= 0 {
		return errMore
	}
	if u.pace != nil {
		if wait := u.pace.take(now, u.dest.DrainRate); wait > 0 {
			u.wait = wait
			return errMore
		}
	}
	*u.budget--
	return nil
}

// paces are those of a destination. Rows and recordings make backlogs, and each have their own; of other events
// there are few, by their limits.
type paces struct{ rows, waves pace }

func (p *paces) of(kind logdb.Kind) *pace {
	switch kind {
	case logdb.KindHistorical:
		return &p.rows
	case logdb.KindWaveform:
		return &p.waves
	}
	return nil
}

// pace spreads the pages that drain a backlog to one destination over time.
type pace struct {
	mu   sync.Mutex
	next time.Time
}

// drainBurst is how much of an idle time may be made up for.
const drainBurst = 10 * time.Second

// take allows a page now, or says after which time one will be. rate is in pages a minute; 0: no bound.
func (p *pace) take(now time.Time, rate int) time.Duration {
	if rate <= 0 {
		return 0
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.next.Before(now.Add(-drainBurst)) {
		p.next = now.Add(-drainBurst)
	}
	if wait := p.next.Sub(now); wait > 0 {
		return wait
	}
	p.next = p.next.Add(time.Minute / time.Duration(rate))
	return 0
}
