package device_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"metermanager/assets"
	"metermanager/service/field/device"
)

// TestKeep: a profile of one's own is there at once and after a new start, in one file, whatever that is called; one that is refused changes nothing.
func TestKeep(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "profiles")
	text, err := fs.ReadFile(assets.Profiles(), "eastron-sdm120.json")
	if err != nil {
		t.Fatal(err)
	}
	profile := func(id, model string) []byte {
		out := strings.Replace(string(text), `"eastron-sdm120"`, `"`+id+`"`, 1)
		return []byte(strings.Replace(out, `"SDM120"`, `"`+model+`"`, 1))
	}
	set, err := device.LoadProfiles(assets.Profiles())
	if err != nil {
		t.Fatal(err)
	}
	if p, err := set.Keep(folder, profile("acme-x1", "X1")); err != nil || p.ID != "acme-x1" {
		t.Fatalf("%+v, %v", p, err)
	}
	if err := os.Rename(filepath.Join(folder, "acme-x1.json"), filepath.Join(folder, "my meter.json")); err != nil {
		t.Fatal(err)
	}
	if _, err := set.Keep(folder, profile("acme-x1", "X2")); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"", "{}", string(profile("../../etc", "X")), string(profile("acme-x1", "X3")) + "{"} {
		if _, err := set.Keep(folder, []byte(bad)); !errors.Is(err, device.ErrProfile) {
			t.Errorf("%.20q: %v", bad, err)
		}
	}
	again, err := device.LoadProfiles(assets.Profiles())
	if err == nil {
		err = again.Add(os.DirFS(folder))
	}
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]*device.Set{"now": set, "after a start": again} {
		if p, ok := s.Get("acme-x1"); !ok || p.Model != "X2" {
			t.Errorf("%s: %+v", name, p)
		}
	}
	if files, err := os.ReadDir(folder); err != nil || len(files) != 1 || files[0].Name() != "my meter.json" {
		t.Errorf("%v, %v", files, err)
	}
}
