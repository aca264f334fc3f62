package metadb

import (
	"context"
	"database/sql"
	"strings"

	"metermanager/service/field/pickup"
)

var _ pickup.State = (*Field)(nil)

// Pickups lists the folders that are watched, by id.
func (f *Field) Pickups(ctx context.Context) ([]pickup.Folder, error) {
	return query(ctx, f.db, func(rows *sql.Rows) (p pickup.Folder, err error) {
		var names string
		err = rows.Scan(&p.ID, &p.Meter, &p.Path, &p.FTP, &p.PasswordFile, &p.Zone, &names, &p.Primary, &p.EverySeconds)
		if names != "" {
			p.Map = strings.Split(names, "\n")
		}
		return p, err
	}, "SELECT id, meter_uid, folder, ftp, password_file, zone, names, use_primary, every_s FROM field_pickup ORDER BY id")
}

// PutPickup adds a folder.
func (f *Field) PutPickup(ctx context.Context, p pickup.Folder) error {
	return f.exec(ctx, "INSERT INTO field_pickup (id, meter_uid, folder, ftp, password_file, zone, names, use_primary, every_s) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
		p.ID, p.Meter, p.Path, p.FTP, p.PasswordFile, p.Zone, strings.Join(p.Map, "\n"), p.Primary, p.EverySeconds)
}

// DeletePickup removes a folder, and what was fetched for it.
func (f *Field) DeletePickup(ctx context.Context, id string) error {
	return f.exec(ctx, "DELETE FROM field_pickup WHERE id = ?", id)
}

// Fetched returns what was fetched from a server, by name.
func (f *Field) Fetched(ctx context.Context, id string) (map[string]string, error) {
	list, err := query(ctx, f.db, func(rows *sql.Rows) (p [2]string, err error) {
		err = rows.Scan(&p[0], &p[1])
		return p, err
	}, "SELECT name, mark FROM field_fetched WHERE pickup_id = ?", id)
	if err != nil {
		return nil, err
	}
	out := make(map[string]string, len(list))
	for _, p := range list {
		out[p[0]] = p[1]
	}
	return out, nil
}

// PutFetched notes that a file was fetched.
func (f *Field) PutFetched(ctx context.Context, id, name, mark string) error {
	return f.exec(ctx, "INSERT INTO field_fetched (pickup_id, name, mark) VALUES (?, ?, ?) ON CONFLICT (pickup_id, name) DO UPDATE SET mark = excluded.mark", id, name, mark)
}
