package sqldbtest

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"metermanager/logdb/sqldb"
)

// variable holds the address of a server that others started (tools/postgres.sh run).
const variable = "METERMANAGER_TEST_POSTGRES"

var schemas atomic.Int64

// Postgres returns the address of an empty database, which is dropped when the test is over. The test is skipped,
// with the reason, where PostgreSQL cannot be had.
func Postgres(t testing.TB) string {
	t.Helper()
	server, err := address()
	if err != nil {
		t.Skipf("skipped: %v", err)
	}
	schema := fmt.Sprintf("t%d_%d_%d", os.Getpid(), time.Now().UnixNano()%1e9, schemas.Add(1))
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set("schema", schema)
	u.RawQuery = q.Encode()
	t.Cleanup(func() { drop(t, u.String(), schema) })
	return u.String()
}

// drop removes the schemas of a test.
func drop(t testing.TB, place, schema string) {
	ctx := context.Background()
	db, err := sqldb.Open(ctx, place, sqldb.Config{})
	if err != nil {
		t.Errorf("drop the database of the test: %v", err)
		return
	}
	defer db.Close()
	if err := db.Write(ctx, func(tx *sql.Tx) error {
		for _, part := range []string{"_logs", "_meta", ""} {
			if _, err := tx.ExecContext(ctx, "DROP SCHEMA IF EXISTS "+schema+part+" CASCADE"); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Errorf("drop the database of the test: %v", err)
	}
}

// address returns the address of the server, and starts one for this process when there is none.
var address = sync.OnceValues(func() (string, error) {
	if a := os.Getenv(variable); a != "" {
		return a, nil
	}
	if runtime.GOOS == "windows" {
		return "", fmt.Errorf("no PostgreSQL for tests on %s; set %s to the address of an empty database", runtime.GOOS, variable)
	}
	script, err := find("tools/postgres.sh")
	if err != nil {
		return "", err
	}
	cmd := exec.Command(script, "serve")
	var why bytes.Buffer
	cmd.Stderr = &why
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", err
	}
	// The server ends when this process does and its end of the pipe closes.
	held, err := cmd.StdinPipe()
	if err != nil {
		return "", err
	}
	if err := cmd.Start(); err != nil {
		return "", fmt.Errorf("start PostgreSQL for tests: %w", err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		_ = cmd.Wait()
		return "", fmt.Errorf("%s", strings.TrimSpace(why.String()))
	}
	keep = held
	return strings.TrimSpace(line), nil
})

// keep is what keeps the server running: it ends when the pipe is closed, as the collector of garbage would.
//
//lint:ignore U1000 it is held, not read
var keep io.Closer

// find looks for a file of the module, from the folder of the test upwards.
func find(name string) (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", fmt.Errorf("no PostgreSQL for tests: %s was not found", name)
		}
		dir = up
	}
}
