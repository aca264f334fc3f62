package limit

import "metermanager/logdb"

// Key is one span of one window: the span begins at Start, a multiple of the window's
// length counted from 1970, so that every node cuts the same spans.
type Key struct {
	Window string
	Start  logdb.Millis
}

// Counts holds how many records were accepted in each span; an absent key means none.
type Counts map[Key]int

// Keys returns the spans that hold t, in the order of windows: what a caller loads before
// it decides. Windows without a length or without a number limit nothing and have no key.
func Keys(windows []logdb.Window, t logdb.Millis) []Key {
	keys := make([]Key, 0, len(windows))
	for _, w := range windows {
		if active(w) {
			keys = append(keys, keyOf(w, t))
		}
	}
	return keys
}

// Decide says whether a record of time t fits into every window, and counts it in all of
// them if it does. A record that does not fit is counted in none, so that a burst which
// fills a minute does not use up the hour; reason is the first window that is full.
func Decide(windows []logdb.Window, counts Counts, t logdb.Millis) (ok bool, reason string) {
	for _, w := range windows {
		if active(w) && counts[keyOf(w, t)] >= w.Max {
			return false, w.Name
		}
	}
	for _, w := range windows {
		if active(w) {
			counts[keyOf(w, t)]++
		}
	}
	return true, ""
}

// Release gives back the slots of a record of time t that Decide accepted: it was forgotten
// and may be sent again. A span that counts nothing stays at nothing.
func Release(windows []logdb.Window, counts Counts, t logdb.Millis) {
	for _, w := range windows {
		if !active(w) {
			continue
		}
		if k := keyOf(w, t); counts[k] > 1 {
			counts[k]--
		} else {
			delete(counts, k)
		}
	}
}

func active(w logdb.Window) bool { return w.Millis > 0 && w.Max > 0 }

func keyOf(w logdb.Window, t logdb.Millis) Key { return Key{w.Name, t.Floor(w.Millis)} }
