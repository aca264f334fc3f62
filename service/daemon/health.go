package daemon

import (
	"context"
	"fmt"
)

// lowDisk is the room below which the node asks for help, noDisk the one below which it no
// longer calls itself ready.
const (
	lowDisk = 1 << 30
	noDisk  = 64 << 20
)

// problems says what keeps the node from its work, for people; nothing when it is ready.
func (n *node) problems(ctx context.Context) []string {
	var out []string
	if n.stopping.Load() {
		out = append(out, "The node is stopping.")
	}
	if err := n.alive(ctx); err != nil {
		out = append(out, "The databases do not answer.")
	}
	if free, err := n.freeBytes(); err == nil && free < noDisk {
		out = append(out, "The disk of the data folder is full.")
	}
	return out
}

// alive asks both databases a small question: what the watchdog goes by.
func (n *node) alive(ctx context.Context) error {
	if err := n.meta.Read().PingContext(ctx); err != nil {
		return fmt.Errorf("ask the database of meters and users: %w", err)
	}
	if _, err := n.logs.Meters(ctx); err != nil {
		return fmt.Errorf("ask the log database: %w", err)
	}
	return nil
}

// warnings says what needs somebody's action.
func (n *node) warnings(context.Context) []string {
	free, err := n.freeBytes()
	if err != nil || free >= lowDisk {
		return nil
	}
	return []string{fmt.Sprintf("Only %d MB are free on the disk of the data folder: make room, or move the folder.", free>>20)}
}
