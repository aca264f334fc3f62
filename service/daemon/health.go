package daemon

import (
	"context"
	"fmt"
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
	if n.disk.take() != nil {
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
	return append(n.disk.warnings(), n.retention.warnings()...)
}
