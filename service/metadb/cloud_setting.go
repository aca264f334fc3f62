package metadb

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
)

// NodeSettings returns the settings of the node by name.
func (c *Cloud) NodeSettings(ctx context.Context) (map[string]string, error) {
	rows, err := c.db.Read().QueryContext(ctx, `SELECT name, value FROM node_setting`)
	if err != nil {
		return nil, fmt.Errorf("list the settings of the node: %w", err)
	}
	defer func() { _ = rows.Close() }() // its error is rows.Err
	out := map[string]string{}
	for rows.Next() {
		var name, value string
		if err := rows.Scan(&name, &value); err != nil {
			return nil, fmt.Errorf("read a setting of the node: %w", err)
		}
		out[name] = value
	}
	return out, rows.Err()
}

// PutNodeSetting stores a setting of the node.
func (c *Cloud) PutNodeSetting(ctx context.Context, name, value string) error {
	return c.PutNodeSettings(ctx, map[string]string{name: value})
}

// PutNodeSettings stores settings of the node, all or none.
func (c *Cloud) PutNodeSettings(ctx context.Context, values map[string]string) error {
	return c.write(ctx, func(tx *sql.Tx) error {
		for _, name := range slices.Sorted(maps.Keys(values)) {
			_, err := tx.ExecContext(ctx, `INSERT INTO node_setting (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value`, name, values[name])
			if err != nil {
				return fmt.Errorf("store the setting %s: %w", name, err)
			}
		}
		return nil
	})
}

// DeleteNodeSetting forgets a setting of the node and reports whether there was one.
func (c *Cloud) DeleteNodeSetting(ctx context.Context, name string) (was bool, err error) {
	err = c.write(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `DELETE FROM node_setting WHERE name = ?`, name)
		if err != nil {
			return fmt.Errorf("forget the setting %s: %w", name, err)
		}
		n, err := res.RowsAffected()
		was = n > 0
		return err
	})
	return was, err
}
