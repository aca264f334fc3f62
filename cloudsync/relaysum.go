package cloudsync

import (
	"context"

	"metermanager/cloudsync/reduce"
	"metermanager/logdb"
)

// sumsHere is what is known of the sums of a stream that a node received.
type sumsHere struct {
	rows map[logdb.Position][]logdb.FateRange // what is combined into a sum
	// skipped are, of these, the rows that the receiver's limits skipped one by one, as they came there by another way; stored are the sums of which the receiver
	// has a row as it is.
	skipped map[logdb.Position][]logdb.FateRange
	stored  map[logdb.Position]bool
}

func (r *relayReader) lookAtSums() *sumsHere {
	if r.sums != nil {
		return r.sums
	}
	r.sums = &sumsHere{map[logdb.Position][]logdb.FateRange{}, map[logdb.Position][]logdb.FateRange{}, map[logdb.Position]bool{}}
	there := r.u.received(r.stream.Stream)
	for _, f := range r.stream.Fates.Ranges() {
		if f.Fate != logdb.FateReduced {
			continue
		}
		r.sums.rows[f.Into] = append(r.sums.rows[f.Into], f)
		for _, t := range there.Within(f.First, f.Last) {
			switch t.Fate {
			case logdb.FateSkipped:
				part := f
				part.First, part.Last = t.First, t.Last
				r.sums.skipped[f.Into] = append(r.sums.skipped[f.Into], part)
			case logdb.FateStored:
				r.sums.stored[f.Into] = true
			}
		}
	}
	return r.sums
}

// parts tells, on the page of the sum at p, of those of its rows that the receiver skipped one by one: they would count twice when they are fetched. A sum
// that is sent on request comes without its rows, of which the receiver may get one meanwhile: it must see then that they belong together. It returns how large that is.
func (r *relayReader) parts(page *logdb.Page, p logdb.Position) int {
	sums := r.lookAtSums()
	if len(sums.skipped[p]) > 0 {
		r.told = append(r.told, p)
	}
	list := sums.skipped[p]
	if page.Requested {
		list = sums.rows[p]
	}
	page.AddFates(list...)
	return 64 * len(list)
}

// changesOfSums sends the changes of the sums with which the receiver was told of rows that it had skipped, and their changes with them: it would have the sums
// without these.
func (r *relayReader) changesOfSums(ctx context.Context) error {
	var groups []reduce.Group
	there := r.u.received(r.stream.Stream)
	for _, p := range r.told {
		if f, _ := there.At(p); f.Fate != logdb.FateStored || r.u.unsure {
			continue
		}
		g, err := r.withChanges(ctx, reduce.Group{p})
		if err != nil {
			return err
		}
		if len(g) > 1 {
			groups = append(groups, g[1:])
		}
	}
	return r.whole(ctx, groups)
}
