package daemon

import (
	"errors"
	"path/filepath"
	"testing"

	"metermanager/logdb/retain"
	"metermanager/logdb/sqldb"
	"metermanager/service/cloud/account"
	"metermanager/service/metadb"
)

// cloudStore is an empty store of the cloud side.
func cloudStore(t *testing.T) *metadb.Cloud {
	t.Helper()
	db, err := sqldb.Open(t.Context(), filepath.Join(t.TempDir(), "meta.db"), sqldb.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	store, err := metadb.OpenCloud(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// Ages are kept, a customer's own win over those by default, and what does not go together changes nothing.
func TestRetentionIsKept(t *testing.T) {
	t.Parallel()
	store := cloudStore(t)
	if err := store.Bootstrap(t.Context(), account.Customer{ID: "c-1", Name: "C", SealedKey: []byte{1}}, account.User{ID: "u-1", Customer: "c-1", Name: "u", PasswordHash: []byte{1}}, nil); err != nil {
		t.Fatal(err)
	}
	r := &retention{store: store}
	for _, tt := range []struct {
		customer    account.CustomerID
		name, value string
		fails       error
	}{
		{"", "hour", "3y", nil},
		{"", "full", "3mo", retain.ErrRules},
		{"", "quarter", "4y", retain.ErrRules},
		{"", "night", "4y", retain.ErrRules},
		{"", "hour", "forever", retain.ErrRules},
		{"c-1", "hour", "30mo", nil},
		{"c-1", "quarter", "20mo", nil},
		{"c-2", "hour", "4y", account.ErrNotFound},
		{"", "full", "21mo", retain.ErrRules},
	} {
		if err := r.SetRule(t.Context(), tt.customer, tt.name, tt.value); !errors.Is(err, tt.fails) {
			t.Errorf("%s = %s of %q: %v, want %v", tt.name, tt.value, tt.customer, err, tt.fails)
		}
	}
	check := func(customer account.CustomerID, want retain.Rules) {
		t.Helper()
		if got, err := (&retention{store: store}).Rules(t.Context(), customer); err != nil || got != want {
			t.Errorf("ages of %q: %+v, %v, want %+v", customer, got, err, want)
		}
	}
	check("", retain.Rules{Full: 6, Quarter: 12, Hour: 36, Waveform: 1})
	check("c-1", retain.Rules{Full: 6, Quarter: 20, Hour: 30, Waveform: 1})
	if err := r.SetRule(t.Context(), "c-1", "hour", retain.ByDefault); err != nil {
		t.Fatal(err)
	}
	check("c-1", retain.Rules{Full: 6, Quarter: 20, Hour: 36, Waveform: 1})
}
