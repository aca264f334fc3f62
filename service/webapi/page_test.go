package webapi_test

import (
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"metermanager/rpc/api"
	"metermanager/service/field/discover"
)

// TestStatusPageHoldsTogether: what the scripts of the page look for stands in the page, and the commands that it gives exist.
func TestStatusPageHoldsTogether(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	r, err := http.Get(s.url + "/")
	must(t, err)
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	must(t, err)
	page := string(body)
	ids := map[string]bool{}
	for _, m := range regexp.MustCompile(` id="([a-z-]+)"`).FindAllStringSubmatch(page, -1) {
		if ids[m[1]] {
			t.Errorf("the id %s stands twice", m[1])
		}
		ids[m[1]] = true
	}
	wanted := regexp.MustCompile(`\$\("([a-z-]+)"\)`).FindAllStringSubmatch(page, -1)
	for _, m := range wanted {
		if !ids[m[1]] {
			t.Errorf("a script looks for %s, which is not in the page", m[1])
		}
	}
	for _, m := range regexp.MustCompile(` for="([a-z-]+)"`).FindAllStringSubmatch(page, -1) {
		if !ids[m[1]] {
			t.Errorf("a label is for %s, which is not in the page", m[1])
		}
	}
	given := map[string]bool{}
	for _, m := range regexp.MustCompile(`rpc\("([a-z.]+)"`).FindAllStringSubmatch(page, -1) {
		given[m[1]] = true
		if _, ok := api.LookupCommand(m[1]); !ok {
			t.Errorf("the page gives the command %s, which does not exist", m[1])
		}
	}
	for _, name := range []string{api.CmdMeterDoctor, api.CmdMeterDiscover, api.CmdMeterDiscovered, api.CmdMeterDiscoverStop, api.CmdMeterAdd,
		api.CmdMeterRegisters, api.CmdMeterProfileDraft, api.CmdMeterProfiles, api.CmdMeterProfilePut, api.CmdMeterList} {
		if !given[name] {
			t.Errorf("the page does not give %s", name)
		}
	}
	for what, text := range map[string]string{"the orders of bytes": `["` + strings.Join(discover.Orders[:], `", "`) + `"]`, "the list of channels": `id="regs-channels"`} {
		if !strings.Contains(page, text) {
			t.Errorf("the view of registers lacks %s: %s", what, text)
		}
	}
	options := regexp.MustCompile(`(?s)id="regs-as">(.*?)</select>`).FindStringSubmatch(page)
	if options == nil {
		t.Fatal("registers cannot be shown as anything")
	}
	types := regexp.MustCompile(`value="([^"]+)"`).FindAllStringSubmatch(options[1], -1)
	for _, m := range types {
		if !slices.Contains(discover.Types[:], m[1]) {
			t.Errorf("registers can be shown as %s, which no value can be picked as", m[1])
		}
	}
	if len(types) != 5 {
		t.Errorf("registers can be shown as %d types, want 5", len(types))
	}
	if m := regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write| on[a-z]+="|style="`).FindString(page); m != "" {
		t.Errorf("the page holds %q: texts of others enter as text only, and its policy forbids scripts and styles in elements", m)
	}
	if len(wanted) < 20 || len(ids) < 20 {
		t.Errorf("%d ids and %d uses were found: the test looks at nothing", len(ids), len(wanted))
	}
}
