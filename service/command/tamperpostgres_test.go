package command_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"testing"

	"metermanager/logdb/postgres"
	"metermanager/logdb/sqldb"
	"metermanager/logdb/sqldb/sqldbtest"
	"metermanager/service/config"
	"metermanager/service/dbcopy"
)

// TestTamperingInPostgres changes the logs of a cloud that keeps them in PostgreSQL by hand, as TestTampering does in files.
func TestTamperingInPostgres(t *testing.T) {
	t.Parallel()
	sqldbtest.Postgres(t) // else it is skipped here
	from, cloud := template(t), t.TempDir()
	for file, name := range map[string]string{cloudLogs: config.LogsFile(cloud), cloudMeta: config.MetaFile(cloud)} {
		data, err := os.ReadFile(filepath.Join(from, file))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	copied := func(t *testing.T) (place string) {
		t.Helper()
		place = sqldbtest.Postgres(t)
		if _, err := dbcopy.Copy(t.Context(), dbcopy.Side{Folder: t.TempDir(), Database: place}, dbcopy.Side{Folder: cloud}, nil); err != nil {
			t.Fatal(err)
		}
		return place
	}
	copied(t) // which brings the files up to date
	for i, c := range tamperings() {
		if c.files[len(c.files)-1] != cloudLogs || testing.Short() && i%5 != 0 {
			continue
		}
		t.Run(c.table+"/"+c.what, func(t *testing.T) {
			t.Parallel()
			place := copied(t)
			db, err := sqldb.Open(t.Context(), place, sqldb.Config{Part: postgres.Part})
			if err != nil {
				t.Fatal(err)
			}
			var want wanted
			err = db.Write(t.Context(), func(tx *sql.Tx) error {
				// The foreign keys would refuse some of it: whoever means harm switches them off.
				if _, err := tx.Exec("SET LOCAL session_replication_role = replica"); err != nil {
					return err
				}
				want = byHand(t, tx, c.do)
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			b := openTwoNodesAt(t, copyFolder(t, from), place)
			defer b.stop()
			mustName(t, b.verify(want.kind), want)
		})
	}
}
