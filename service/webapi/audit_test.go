package webapi_test

import (
	"database/sql"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"metermanager/logdb/sqldb"
	"metermanager/rpc/api"
)

// auditOf lists the events that a key sees, the oldest first: action, outcome, actor's name, target.
func (s *server) auditOf(key, args string) []string {
	s.t.Helper()
	got := s.ok(key, "POST", api.Root+"/rpc/audit.list", args)["result"].(map[string]any)
	var out []string
	list, _ := got["events"].([]any)
	for _, x := range list {
		e := x.(map[string]any)
		text := fmt.Sprintf("%v %v", e["action"], e["outcome"])
		for _, k := range []string{"name", "target", "reason"} {
			if v, ok := e[k]; ok && v != "" {
				text += fmt.Sprintf(" %v", v)
			}
		}
		out = append([]string{text}, out...)
	}
	return out
}

func (s *server) intact(key string) (bool, string) {
	s.t.Helper()
	got := s.ok(key, "POST", api.Root+"/rpc/audit.check", "{}")["result"].(map[string]any)
	return got["intact"].(bool), fmt.Sprint(got["broken"])
}

// TestAudit: what is changed, refused and asked leaves the events that it should, each customer sees its own, and whoever changes the
// table is found out.
func TestAudit(t *testing.T) {
	t.Parallel()
	s, db := emptyServer(t)
	s.populate(db)
	if r := s.login(`{"user":"owner","password":"wrong"}`); r.status != http.StatusUnauthorized {
		t.Fatalf("%d", r.status)
	}
	if r := s.login(`{"user":"owner","password":"` + password + `"}`); r.status != http.StatusOK {
		t.Fatalf("%d", r.status)
	}
	s.ok(s.admin, "POST", api.Root+"/keys", `{"name":"new"}`)
	s.ok(s.admin, "GET", api.Root+"/keys", "")                                                                          // a question
	s.ok(s.system, "POST", api.Root+"/rpc/meter.profile.draft", `{"id":"acme-x1","picks":"readings.voltage.an=0:f32"}`) // changes nothing
	s.refused(s.call(s.reader, "GET", api.Root+"/keys", ""), 403, "forbidden")
	s.refused(s.call("", "GET", api.Root+"/meters", "", "X-Api-Key", "mmk_guess"), 401, "unauthenticated")
	s.ok(s.admin, "DELETE", s.meterPath(""), "")
	s.ok(s.theirs, "POST", api.Root+"/keys", `{"name":"theirs"}`)
	s.refused(s.call(s.theirs, "DELETE", s.meterPath(""), ""), 404, "not_found")

	target := string(s.uid)
	ours := s.auditOf(s.system, `{}`)
	want := []string{"login done owner", "create-key done test", "list-keys refused test 403", "remove-meter done test " + target}
	if strings.Join(ours, "\n") != strings.Join(want, "\n") {
		t.Errorf("ours:\n%s\nwant\n%s", strings.Join(ours, "\n"), strings.Join(want, "\n"))
	}
	theirs := s.auditOf(s.theirs, `{}`)
	if want := []string{"create-key done test", "remove-meter refused test " + target + " 404"}; strings.Join(theirs, "\n") != strings.Join(want, "\n") {
		t.Errorf("theirs:\n%s", strings.Join(theirs, "\n"))
	}
	everything := s.auditOf(s.system, `{"view":"server"}`)
	if len(everything) != len(ours)+len(theirs)+2 || !strings.HasPrefix(everything[0], "login refused 401") {
		t.Errorf("everything:\n%s", strings.Join(everything, "\n"))
	}
	s.refused(s.call(s.theirs, "POST", api.Root+"/rpc/audit.list", `{"view":"server"}`), 403, "forbidden")
	if list := s.auditOf(s.system, `{"view":"server","action":"login","outcome":"refused"}`); len(list) != 1 {
		t.Errorf("filtered: %v", list)
	}
	raw := s.call(s.system, "POST", api.Root+"/rpc/audit.list", `{"view":"server"}`).body
	for _, secret := range []string{password, "mmk_guess", s.admin, "wrong"} {
		if strings.Contains(raw, secret) {
			t.Errorf("the audit holds a secret: %s", secret)
		}
	}
	cef := s.ok(s.system, "POST", api.Root+"/rpc/audit.list", `{"format":"cef","limit":2}`)["result"].(map[string]any)
	if lines := cef["lines"].([]any); len(lines) != 2 || !strings.HasPrefix(lines[0].(string), "CEF:0|") || cef["next"] == nil {
		t.Errorf("CEF %v", cef)
	}

	// Whoever changes or removes a row is found out, whoever asks.
	if ok, why := s.intact(s.system); !ok {
		t.Fatalf("broken before anybody touched it: %s", why)
	}
	for name, change := range map[string]string{
		"altered":        `UPDATE audit SET target = 'other' WHERE action = 'remove-meter' AND outcome = 'done'`,
		"whitewashed":    `UPDATE audit SET outcome = 'done', reason = '' WHERE action = 'list-keys'`,
		"removed":        `DELETE FROM audit WHERE action = 'create-key' AND customer != 'theirs'`,
		"newest gone":    `DELETE FROM audit WHERE seq = (SELECT max(seq) FROM audit WHERE customer != 'theirs' AND customer != '')`,
		"whole customer": `DELETE FROM audit WHERE customer != 'theirs'`,
	} {
		tampered(t, s, db, name, change)
	}
}

// tampered makes a change in a copy of the tables, looks whether it is found, and takes it back.
func tampered(t *testing.T, s *server, db *sqldb.DB, name, change string) {
	t.Helper()
	run := func(list ...string) {
		t.Helper()
		must(t, db.Write(t.Context(), func(tx *sql.Tx) error {
			for _, q := range list {
				if _, err := tx.Exec(q); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	run("CREATE TABLE kept AS SELECT * FROM audit", change)
	if ok, _ := s.intact(s.system); ok {
		t.Errorf("%s: nobody notices", name)
	}
	run("DELETE FROM audit", "INSERT INTO audit SELECT * FROM kept", "DROP TABLE kept")
	if ok, why := s.intact(s.system); !ok {
		t.Fatalf("%s: not taken back: %s", name, why)
	}
}

// TestAuditIsPartOfTheChange: without its event there is no change.
func TestAuditIsPartOfTheChange(t *testing.T) {
	t.Parallel()
	s, db := emptyServer(t)
	s.populate(db)
	must(t, db.Write(t.Context(), func(tx *sql.Tx) error { _, err := tx.Exec("ALTER TABLE audit RENAME TO gone"); return err }))
	if r := s.call(s.admin, "DELETE", s.meterPath(""), ""); r.status < 500 {
		t.Errorf("a change without its event answers %d", r.status)
	}
	must(t, db.Write(t.Context(), func(tx *sql.Tx) error { _, err := tx.Exec("ALTER TABLE gone RENAME TO audit"); return err }))
	if got := s.ok(s.admin, "GET", s.meterPath(""), ""); got["meter_uid"] == nil && got["uid"] == nil {
		t.Errorf("the meter is gone although the change failed: %v", got)
	}
}

// TestAuditOfGuesses: who guesses does not fill the disk.
func TestAuditOfGuesses(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for range 100 {
		s.call("", "GET", api.Root+"/meters", "", "X-Api-Key", "mmk_guess")
	}
	if n := len(s.auditOf(s.system, `{"view":"server","outcome":"refused","limit":1000}`)); n != 60 {
		t.Errorf("%d events of 100 guesses in a minute, want 60", n)
	}
}
