package clouddb

import (
	"context"
	"crypto/cipher"
	"database/sql"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"metermanager/cloudsync"
	"metermanager/logdb"
	"metermanager/logdb/sqldb"
)

//go:embed migrations/*.sql
var files embed.FS

// Config of a Store.
type Config struct {
	// MasterKey seals passwords, keys and tokens: 32 bytes, kept apart from the database.
	MasterKey []byte
}

// Store keeps the cloud sync's data in an SQLite database that others may use too.
type Store struct {
	db   *sqldb.DB
	seal cipher.AEAD
}

var _ cloudsync.Store = (*Store)(nil)

// New brings the tables up to date.
func New(ctx context.Context, db *sqldb.DB, cfg Config) (*Store, error) {
	seal, err := newSeal(cfg.MasterKey)
	if err != nil {
		return nil, err
	}
	migrations, err := fs.Sub(files, "migrations")
	if err != nil {
		return nil, fmt.Errorf("open the migrations of clouddb: %w", err)
	}
	if err := db.Migrate(ctx, "clouddb", migrations); err != nil {
		return nil, fmt.Errorf("migrate clouddb: %w", err)
	}
	return &Store{db: db, seal: seal}, nil
}

const selectDestinations = `SELECT id, name, enabled, host, port, rootpath, location, customer, user,
	password, apikey, token, expires_ms, manual_register, own_only, drain_rate, fingerprint, channels, limits FROM cloud_destination WHERE removed = 0 ORDER BY id`

// Destinations lists the destinations by number.
func (s *Store) Destinations(ctx context.Context) ([]cloudsync.Destination, error) {
	rows, err := s.db.Read().QueryContext(ctx, selectDestinations)
	if err != nil {
		return nil, fmt.Errorf("list cloud destinations: %w", err)
	}
	defer rows.Close()
	var out []cloudsync.Destination
	for rows.Next() {
		var d cloudsync.Destination
		var password, apikey, token []byte
		var channels, limits string
		if err := rows.Scan(&d.ID, &d.Name, &d.Enabled, &d.Host, &d.Port, &d.RootPath, &d.Location, &d.Customer, &d.User,
			&password, &apikey, &token, &d.Expires, &d.ManualRegister, &d.OwnOnly, &d.DrainRate, &d.Fingerprint, &channels, &limits); err != nil {
			return nil, fmt.Errorf("read a cloud destination: %w", err)
		}
		for _, f := range []struct {
			name   string
			sealed []byte
			to     *cloudsync.Secret
		}{{"password", password, &d.Password}, {"apikey", apikey, &d.APIKey}, {"token", token, &d.Token}} {
			if *f.to, err = s.unseal(d.ID, f.name, f.sealed); err != nil {
				return nil, fmt.Errorf("open the %s of cloud destination %d: %w", f.name, d.ID, err)
			}
		}
		if err := json.Unmarshal([]byte(channels), &d.Channels); err != nil {
			return nil, fmt.Errorf("read the channels of cloud destination %d: %w", d.ID, err)
		}
		if err := json.Unmarshal([]byte(limits), &d.Limits); err != nil {
			return nil, fmt.Errorf("read the limits of cloud destination %d: %w", d.ID, err)
		}
		out = append(out, d)
	}
	return out, rows.Err()
}

const insertDestination = `INSERT INTO cloud_destination (id, name, enabled, host, port, rootpath, location, customer, user,
	expires_ms, manual_register, channels, limits)
	SELECT CASE WHEN ?1 = 0 THEN coalesce(max(id), 0) + 1 ELSE ?1 END, '', 0, '', 0, '', '', '', '', 0, 0, 'null', 'null' FROM cloud_destination
	WHERE true ON CONFLICT (id) DO UPDATE SET id = excluded.id RETURNING id`

const updateDestination = `UPDATE cloud_destination SET name = ?, enabled = ?, host = ?, port = ?, rootpath = ?, location = ?,
	customer = ?, user = ?, password = ?, apikey = ?, token = ?, expires_ms = ?, manual_register = ?, own_only = ?, drain_rate = ?, fingerprint = ?, channels = ?, limits = ? WHERE id = ?`

// PutDestination stores d, with a new number when it has none. One for which nothing was decided yet takes up what was decided for a
// removed one of its address.
func (s *Store) PutDestination(ctx context.Context, d cloudsync.Destination) (cloudsync.Destination, error) {
	channels, err := json.Marshal(d.Channels)
	if err != nil {
		return d, fmt.Errorf("write channels: %w", err)
	}
	limits, err := json.Marshal(d.Limits)
	if err != nil {
		return d, fmt.Errorf("write limits: %w", err)
	}
	err = s.db.Write(ctx, func(tx *sql.Tx) error {
		if err := tx.QueryRowContext(ctx, insertDestination, d.ID).Scan(&d.ID); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, updateDestination, d.Name, d.Enabled, d.Host, d.Port, d.RootPath, d.Location, d.Customer, d.User,
			s.sealed(d.ID, "password", d.Password), s.sealed(d.ID, "apikey", d.APIKey), s.sealed(d.ID, "token", d.Token),
			d.Expires, d.ManualRegister, d.OwnOnly, d.DrainRate, d.Fingerprint, string(channels), string(limits), d.ID)
		if err != nil {
			return err
		}
		return takeUp(ctx, tx, d)
	})
	if err != nil {
		return d, fmt.Errorf("store cloud destination %d: %w", d.ID, err)
	}
	return d, nil
}

const putEnded = `INSERT INTO cloud_ended (journal, generation, name, policy, last)
	SELECT journal, generation, name, policy, journal_end FROM cloud_stream WHERE destination = ?1 AND (journal = ?2 OR ?2 = '')
	ON CONFLICT (journal, name, generation) DO UPDATE SET last = CASE WHEN cloud_ended.last > excluded.last THEN cloud_ended.last ELSE excluded.last END`

// DeleteDestination removes a destination with its meters and secrets. What was decided for it stays, under a number that no other gets: it is
// what its cloud holds.
func (s *Store) DeleteDestination(ctx context.Context, d cloudsync.DestinationID) error {
	err := s.db.Write(ctx, func(tx *sql.Tx) error {
		if err := bequeathAll(ctx, tx, d); err != nil {
			return err
		}
		for _, q := range []string{
			"UPDATE cloud_destination SET removed = 1, enabled = 0, customer = '', user = '', password = NULL, apikey = NULL, token = NULL WHERE id = ?",
			"DELETE FROM cloud_meter WHERE destination = ?",
			"DELETE FROM cloud_item WHERE destination = ?",
			"DELETE FROM cloud_share WHERE destination = ?",
		} {
			if _, err := tx.ExecContext(ctx, q, d); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("remove cloud destination %d: %w", d, err)
	}
	return nil
}

// takeUp hands what was decided for removed destinations of the address of d over to it, unless something was decided for it already.
func takeUp(ctx context.Context, tx *sql.Tx, d cloudsync.Destination) error {
	var busy bool
	if err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM cloud_stream WHERE destination = ?1)
		OR EXISTS (SELECT 1 FROM cloud_share WHERE destination = ?1)`, d.ID).Scan(&busy); err != nil || busy || d.URL() == "" {
		return err
	}
	old, err := removedAt(ctx, tx, d.URL())
	if err != nil || old == 0 {
		return err
	}
	rows, err := tx.QueryContext(ctx, "SELECT DISTINCT journal FROM cloud_stream WHERE destination = ?", old)
	if err != nil {
		return err
	}
	journals, err := scanJournals(rows)
	if err != nil {
		return err
	}
	for _, j := range journals {
		if err := handOver(ctx, tx, d.ID, old, j); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "UPDATE cloud_share SET owner = ? WHERE owner = ? AND journal = ?", d.ID, old, j); err != nil {
			return err
		}
	}
	_, err = tx.ExecContext(ctx, "DELETE FROM cloud_destination WHERE id = ?", old)
	return err
}

// removedAt returns the removed destination of an address, the last one of several; 0: none.
func removedAt(ctx context.Context, tx *sql.Tx, url string) (found cloudsync.DestinationID, err error) {
	rows, err := tx.QueryContext(ctx, "SELECT id, host, port, rootpath FROM cloud_destination WHERE removed = 1 ORDER BY id")
	if err != nil {
		return 0, err
	}
	for rows.Next() {
		var o cloudsync.Destination
		if err := rows.Scan(&o.ID, &o.Host, &o.Port, &o.RootPath); err != nil {
			return 0, errors.Join(err, rows.Close())
		}
		if o.URL() == url {
			found = o.ID
		}
	}
	return found, errors.Join(rows.Err(), rows.Close())
}

const selectMeters = `SELECT meter, cloud_uid, enabled, upload_enabled, registered, parked FROM cloud_meter WHERE destination = ? ORDER BY meter`

// MeterConfigs lists the meters of a destination, sorted by UID.
func (s *Store) MeterConfigs(ctx context.Context, d cloudsync.DestinationID) ([]cloudsync.MeterConfig, error) {
	rows, err := s.db.Read().QueryContext(ctx, selectMeters, d)
	if err != nil {
		return nil, fmt.Errorf("list the meters of cloud destination %d: %w", d, err)
	}
	defer rows.Close()
	var out []cloudsync.MeterConfig
	for rows.Next() {
		var c cloudsync.MeterConfig
		var registered []byte
		if err := rows.Scan(&c.Meter, &c.CloudUID, &c.Enabled, &c.UploadEnabled, &registered, &c.Parked); err != nil {
			return nil, fmt.Errorf("read a meter of cloud destination %d: %w", d, err)
		}
		c.Registered = digestOf(registered)
		out = append(out, c)
	}
	return out, rows.Err()
}

const putMeter = `INSERT INTO cloud_meter (destination, meter, cloud_uid, enabled, upload_enabled, registered, parked) VALUES (?, ?, ?, ?, ?, ?, ?)
	ON CONFLICT (destination, meter) DO UPDATE SET cloud_uid = excluded.cloud_uid, enabled = excluded.enabled,
	upload_enabled = excluded.upload_enabled, registered = excluded.registered, parked = excluded.parked`

// PutMeterConfig stores the settings of one meter.
func (s *Store) PutMeterConfig(ctx context.Context, d cloudsync.DestinationID, c cloudsync.MeterConfig) error {
	err := s.db.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, putMeter, d, c.Meter, c.CloudUID, c.Enabled, c.UploadEnabled, c.Registered[:], c.Parked)
		return err
	})
	if err != nil {
		return fmt.Errorf("store the cloud settings of meter %s: %w", c.Meter, err)
	}
	return nil
}

// Items returns the stored parts of the info cache of a destination by name.
func (s *Store) Items(ctx context.Context, d cloudsync.DestinationID) (map[string]cloudsync.Item, error) {
	rows, err := s.db.Read().QueryContext(ctx, "SELECT name, value, updated_ms FROM cloud_item WHERE destination = ?", d)
	if err != nil {
		return nil, fmt.Errorf("read the info cache: %w", err)
	}
	defer rows.Close()
	out := map[string]cloudsync.Item{}
	for rows.Next() {
		var name string
		var item cloudsync.Item
		if err := rows.Scan(&name, &item.Value, &item.Updated); err != nil {
			return nil, fmt.Errorf("read the info cache: %w", err)
		}
		out[name] = item
	}
	return out, rows.Err()
}

const putItem = `INSERT INTO cloud_item (destination, name, value, updated_ms) VALUES (?, ?, ?, ?)
	ON CONFLICT (destination, name) DO UPDATE SET value = excluded.value, updated_ms = excluded.updated_ms`

// PutItem stores a part of the info cache.
func (s *Store) PutItem(ctx context.Context, d cloudsync.DestinationID, name string, item cloudsync.Item) error {
	err := s.db.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, putItem, d, name, item.Value, item.Updated)
		return err
	})
	if err != nil {
		return fmt.Errorf("store %s in the info cache: %w", name, err)
	}
	return nil
}

// digestOf reads a digest that is stored as bytes.
func digestOf(b []byte) (d logdb.Digest) {
	copy(d[:], b)
	return d
}
