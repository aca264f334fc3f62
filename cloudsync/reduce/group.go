package reduce

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"metermanager/logdb"
)

// Reasons why something that is asked for cannot be sent.
const (
	CannotChanged = "the combined row was changed since"
	CannotCleared = "no longer in the journal of the site"
	CannotElse    = "the data are at another node"
)

// Group is what must travel in one page to be taken: all rows of a combined one, or one record.
type Group []logdb.Position

// Bucket returns the rows that are combined into the one at p, p included, as a group. why says
// why they cannot be sent; "" when they can.
//
// A combined row that was changed after it had been sent stays as it is: the receiver holds versions of the
// combination, which no row takes the place of. Of one that its limits skipped it holds nothing: what that was changed by is in the group.
func (c *Cut) Bucket(ctx context.Context, journal Journal, p logdb.Position, skipped bool) (g Group, why string, err error) {
	if len(c.late[p]) > 0 && !skipped {
		return nil, CannotChanged, nil
	}
	rows, since := c.members(p, p), Group(nil)
	if skipped {
		since = append(since, c.late[p]...)
	}
	for _, q := range slices.Concat(rows, since) {
		e, err := journal.Entry(ctx, q)
		missing := errors.Is(err, logdb.ErrNotFound)
		if err != nil && !missing {
			return nil, "", fmt.Errorf("read position %d: %w", q, err)
		}
		of := q // whose changes are those of the row
		if !missing && e.Op == logdb.OpRevise {
			of = e.Target
		}
		changes, err := journal.Changes(ctx, of)
		if err != nil {
			return nil, "", fmt.Errorf("read the changes of position %d: %w", of, err)
		}
		for _, at := range changes {
			if at > p && c.travels(at) {
				since = append(since, at)
			}
		}
		switch {
		case len(since) > 0 && !skipped:
			return nil, CannotChanged, nil
		case missing:
			return nil, CannotCleared, nil
		case e.Op == logdb.OpSkip:
			return nil, CannotElse, nil
		}
	}
	slices.Sort(since)
	_, of, _ := c.At(p)
	for _, q := range slices.Compact(since) {
		if _, s, ok := c.At(q); ok && s == of { // else it travels in a stream of its own
			rows = append(rows, q)
		}
	}
	return rows, "", nil
}

// Sum returns the combined row that p is, is a part of, or changes. 0 when there is none.
func (c *Cut) Sum(ctx context.Context, journal Journal, p logdb.Position) (logdb.Position, error) {
	r, _, ok := c.At(p)
	into := p
	switch e, err := journal.Entry(ctx, p); {
	case !ok:
		return 0, nil
	case r.Fate == logdb.FateReduced:
		into = r.Into
	case errors.Is(err, logdb.ErrNotFound):
	case err != nil:
		return 0, fmt.Errorf("read position %d: %w", p, err)
	case e.Op == logdb.OpRevise || e.Op == logdb.OpWithdraw:
		if into, ok, err = c.Carrier(ctx, journal, e.Target); err != nil || !ok {
			return 0, err
		}
	}
	if c.first[into] == 0 {
		return 0, nil
	}
	return into, nil
}

// Combined returns how many rows were combined into the one at p, p not counted.
func (c *Cut) Combined(p logdb.Position) int { return len(c.members(p, p)) - 1 }

// Combines reports whether any of a set of positions is combined into the row at p.
func (c *Cut) Combines(p logdb.Position, set *logdb.FateSet) bool {
	return slices.ContainsFunc(c.members(p, p), func(q logdb.Position) bool { return q != p && set.Has(q) })
}

// travels reports whether the change at p was or will be sent.
func (c *Cut) travels(p logdb.Position) bool {
	r, _, ok := c.At(p)
	return !ok || Wire(r).Fate == logdb.FateStored
}

// Groups makes requested pages of groups that stream decided and hands each to send with the groups in it.
// No group is cut. The caller states journal end and chain.
func (c *Composer) Groups(ctx context.Context, stream *Stream, groups []Group, send func(*logdb.Page, []Group) error) error {
	b, from := c.newBuilder(stream), 0
	b.page.Requested = true
	for i, g := range groups {
		for _, p := range g {
			f, ok := stream.Fates.At(p)
			if !ok {
				continue
			}
			if err := c.carry(ctx, b, p, f); err != nil {
				return err
			}
		}
		if b.size < c.max && i+1 < len(groups) {
			continue
		}
		if b.size > 0 {
			if err := send(b.page, groups[from:i+1]); err != nil {
				return err
			}
		}
		b, from = c.newBuilder(stream), i+1
		b.page.Requested = true
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}
