package retrieve

import (
	"bytes"
	"context"

	"metermanager/service/field/device"
)

// tailRecords is K of the alignment: how many of the last stored raw records must stand
// in the meter's memory as a run, right where they were. Anywhere else, and where these bear one
// time, more must, searchRecords: the system log tells of every retrieval alike, so that a dozen
// records may come again in one second, behind a reset or when a retrieval begins anew.
const (
	tailRecords   = 8
	searchRecords = 64
)

// place is where in the meter's memory the records begin that are not stored yet.
type place struct {
	next  uint32
	found bool // the stored tail stands right before next
}

// align finds the place behind the stored tail (oldest first). first is the index of the
// meter's oldest real record, hint where the place is thought to be. Only equal bytes
// decide; time and index merely say where to look first.
func align(ctx context.Context, s session, log device.Log, tail [][]byte, first, hint uint32) (place, error) {
	used, perRequest := s.extent().Used, s.extent().perRequest
	if len(tail) == 0 {
		return place{next: first}, nil
	}
	if hint > first && hint <= used {
		near := tail[max(0, len(tail)-tailRecords):]
		if bytes.Equal(log.StampOrder(near[0]), log.StampOrder(near[len(near)-1])) {
			near = tail
		}
		if ok, err := matches(ctx, s, near, first, hint); err != nil || ok {
			return place{hint, ok}, err
		}
	}
	guess, err := searchTime(ctx, s, log, tail[len(tail)-1], first, used)
	if err != nil {
		return place{}, err
	}
	// Near the guess first, then everything from the newest on: clocks go back.
	window := uint32(4 * perRequest)
	lo, hi := first, min(used, guess+window)
	if guess > first+window {
		lo = guess - window
	}
	if at, ok, err := scan(ctx, s, tail, first, lo, hi); err != nil || ok {
		return place{at, ok}, err
	}
	for end := used; end > first; {
		start := first
		if end-first > 16*window {
			start = end - 16*window
		}
		if at, ok, err := scan(ctx, s, tail, first, start, end); err != nil || ok {
			return place{at, ok}, err
		}
		end = start
	}
	return place{next: first}, nil
}

// matches reports whether the tail stands right before index at. Where the memory begins
// inside the tail, the part that is left must match.
func matches(ctx context.Context, s session, tail [][]byte, first, at uint32) (bool, error) {
	n := min(uint32(len(tail)), at-first)
	if n == 0 {
		return false, nil
	}
	recs, err := s.fetch(ctx, at-n, at)
	if err != nil {
		return false, err
	}
	return equalRun(recs, tail[len(tail)-int(n):]), nil
}

func equalRun(a, b [][]byte) bool {
	for i := range a {
		if !bytes.Equal(a[i], b[i]) {
			return false
		}
	}
	return len(a) == len(b)
}

// scan looks for the tail's end in (lo, hi], newest first.
func scan(ctx context.Context, s session, tail [][]byte, first, lo, hi uint32) (uint32, bool, error) {
	from := lo
	if back := uint32(len(tail)); lo > first+back {
		from = lo - back
	} else {
		from = first
	}
	if from >= hi {
		return 0, false, nil
	}
	recs, err := s.fetch(ctx, from, hi)
	if err != nil {
		return 0, false, err
	}
	for at := len(recs); at > int(lo-from); at-- {
		n := min(len(tail), at)
		if n < len(tail) && from > first {
			break
		}
		if equalRun(recs[at-n:at], tail[len(tail)-n:]) {
			return from + uint32(at), true, nil
		}
	}
	return 0, false, nil
}

// searchTime returns about the first index whose record is later than last, by the
// meter's own clock.
func searchTime(ctx context.Context, s session, log device.Log, last []byte, first, used uint32) (uint32, error) {
	lo, hi := first, used
	for hi-lo > 1 {
		mid := lo + (hi-lo)/2
		recs, err := s.window(ctx, mid, 1)
		if err != nil {
			return 0, err
		}
		if bytes.Compare(log.StampOrder(recs[0]), log.StampOrder(last)) > 0 {
			hi = mid
		} else {
			lo = mid
		}
	}
	return hi, nil
}
