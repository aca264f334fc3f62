package sim

import (
	"fmt"
	"sort"
	"time"
)

// zone is the table of a time zone's offsets around the history: an integer search instead
// of a calendar for each of a million records.
type zone struct {
	name    string
	from    []int64 // ms, rising; the first is far in the past
	offset  []int64 // ms east of UTC from that instant on
	dst     []bool
	changes []int64 // the instants at which the offset changes
}

// newZone loads the zone and lists its offsets from 2 years before start to 30 years after.
func newZone(name string, start time.Time) (*zone, error) {
	loc, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("load time zone %q: %w", name, err)
	}
	z := &zone{name: name}
	at, end := start.AddDate(-2, 0, 0).In(loc), start.AddDate(30, 0, 0)
	for at.Before(end) {
		_, seconds := at.Zone()
		dst := at.IsDST()
		if n := len(z.from); n == 0 || z.offset[n-1] != int64(seconds)*1000 || z.dst[n-1] != dst {
			z.from = append(z.from, at.UnixMilli())
			z.offset = append(z.offset, int64(seconds)*1000)
			z.dst = append(z.dst, dst)
		}
		_, next := at.ZoneBounds()
		if next.IsZero() {
			break
		}
		// Behind the end of the zone's table ZoneBounds may answer with a bound that is not later,
		// at turns of the year.
		if !next.After(at) {
			next = at.Add(6 * time.Hour)
		}
		at = next
	}
	z.changes = z.from[1:]
	z.dst = summers(z.dst, z.offset)
	return z, nil
}

// at returns the offset in ms and whether daylight saving time holds at UTC instant ms.
func (z *zone) at(ms int64) (offset int64, dst bool) {
	i := sort.Search(len(z.from), func(i int) bool { return z.from[i] > ms }) - 1
	if i < 0 {
		i = 0
	}
	return z.offset[i], z.dst[i]
}

// summers returns in which of the periods clocks show daylight time: in the one of two with the larger offset, where the zone data sets them apart.
// Which of them it calls daylight time does not matter: of Ireland it is the winter.
func summers(dst []bool, offset []int64) []bool {
	out := make([]bool, len(dst))
	for i := range dst {
		out[i] = dst[i]
		for _, k := range []int{i - 1, i + 1} {
			if k >= 0 && k < len(dst) && dst[k] != dst[i] {
				out[i] = offset[i] > offset[k]
				break
			}
		}
	}
	return out
}
