package permission_test

import (
	"encoding/json"
	"testing"

	"metermanager/rpc/permission"
)

func TestSet(t *testing.T) {
	t.Parallel()
	s := permission.Of(permission.Upload, permission.LogsRead)
	if !s.Has(permission.Upload) || s.Has(permission.System) || !s.Has(permission.Public) || !permission.Set(0).Has(permission.Public) {
		t.Errorf("set %s", s)
	}
	if s.String() != "upload,logs_read" || s.Len() != 2 {
		t.Errorf("String = %q", s)
	}
	if !permission.Everything().Covers(s) || s.Covers(permission.Everything()) || s.Without(s) != 0 {
		t.Error("Covers, Without")
	}
	for _, p := range permission.All() {
		got, err := permission.Parse(" " + p.String() + " ")
		if err != nil || got != permission.Of(p) {
			t.Errorf("%s: %s, %v", p, got, err)
		}
	}
	if got, err := permission.Parse(permission.Everything().String()); err != nil || got != permission.Everything() {
		t.Errorf("%s, %v", got, err)
	}
	for _, bad := range []string{"upload,", "Upload", "upload;verify", "all", "*"} {
		if got, err := permission.Parse(bad); err == nil || got != 0 {
			t.Errorf("%q is taken for %s", bad, got)
		}
	}
}

func TestSetAsJSON(t *testing.T) {
	t.Parallel()
	b, err := json.Marshal(permission.Everything())
	if err != nil {
		t.Fatal(err)
	}
	var got permission.Set
	if err := json.Unmarshal(b, &got); err != nil || got != permission.Everything() {
		t.Errorf("%s: %s, %v", b, got, err)
	}
	if got.Unknown() {
		t.Error("known names are taken for unknown ones")
	}
	// A newer node knows more names: what is known holds, the rest grants nothing, and nobody can give it.
	if err := json.Unmarshal([]byte(`"upload,root"`), &got); err != nil || !got.Unknown() || !got.Has(permission.Upload) || got.Len() != 1 || got.String() != "upload" {
		t.Errorf("%s, %v", got, err)
	}
	if permission.Everything().Covers(got) {
		t.Error("an unknown name can be given")
	}
	for _, p := range permission.All() {
		if p != permission.Upload && got.Has(p) {
			t.Errorf("an unknown name grants %s", p)
		}
	}
}
