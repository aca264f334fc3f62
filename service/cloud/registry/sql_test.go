package registry_test

import "database/sql"

func insertOther(tx *sql.Tx) error {
	_, err := tx.Exec(`INSERT INTO customer (id, name, key_hash, sealed_key, created_ms) VALUES ('other', 'Other', x'01', x'02', 9e15)`)
	return err
}
