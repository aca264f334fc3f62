package webapi_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"metermanager/logdb"
	"metermanager/rpc/api"
	"metermanager/service/cloud/account"
)

// bounded are the answers with a list that has no pages, and why it is never long.
var bounded = map[string]string{
	api.OpLive:        "none",
	api.OpReady:       "a few problems of the node",
	api.OpExtensions:  "the extensions of the program",
	api.OpLicensing:   "the extensions of the program",
	api.OpMeterStatus: "five logs of one meter",
	api.OpProgramLog:  "at most 1,000 lines are kept",
	api.OpAnalysis:    "one recording",
	api.OpEN50160:     "one week",
	api.OpUser:        "one user",
	api.OpGetUser:     "one user",
	api.OpMeter:       "one meter",
	api.OpAccess:      "the permissions and operations of the program",
	api.OpMarks:       "256 positions at most",
	api.OpRealtime:    "at most 512 present values of one meter",
}

// TestEveryListHasPages looks at the document that the node makes of its routes: a question that is answered with a list takes a limit and
// says how the list goes on, or stands above with the reason why it is never long.
func TestEveryListHasPages(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	doc := s.ok(s.reader, http.MethodGet, api.Root+"/openapi.json", "")
	listed := map[string]bool{}
	for _, op := range api.Operations() {
		if op.Method != http.MethodGet {
			continue
		}
		path := dig(doc, "paths", op.Path, "get")
		if path == nil {
			continue // pages for people
		}
		schema, _ := dig(path, "responses", "200", "content", "application/json", "schema").(map[string]any)
		if ref, ok := schema["$ref"].(string); ok {
			schema, _ = dig(doc, append([]string{"components"}, strings.Split(strings.TrimPrefix(ref, "#/components/"), "/")...)...).(map[string]any)
		}
		members, _ := schema["properties"].(map[string]any)
		lists := false
		for _, m := range members {
			lists = lists || reflect.DeepEqual(dig(m, "type"), "array") || strings.Contains(fmt.Sprint(dig(m, "type")), "array")
		}
		if !lists {
			continue
		}
		listed[op.ID] = true
		params := map[string]bool{}
		all, _ := dig(path, "parameters").([]any)
		for _, p := range all {
			params[fmt.Sprint(dig(p, "name"))] = true
		}
		paged := params["limit"] && (params["cursor"] && members["next"] != nil || params["before"])
		if _, known := bounded[op.ID]; known == paged {
			t.Errorf("%s (%s): pages %t, reason why it needs none %t; parameters %v", op.ID, op.Path, paged, known, params)
		}
	}
	for id := range bounded {
		if _, ok := api.Lookup(id); !ok {
			t.Errorf("%s is no operation", id)
		}
	}
	if len(listed) < 25 {
		t.Fatalf("only %d lists are seen: %v", len(listed), listed)
	}
}

func dig(v any, names ...string) any {
	for _, name := range names {
		m, _ := v.(map[string]any)
		v = m[name]
	}
	return v
}

// pagesOfOne reads a list one item at a time and returns its pages; the list must end.
func (s *server) pagesOfOne(key, path string) (pages []string) {
	s.t.Helper()
	first, cursor := path, ""
	for range 200 {
		at := first + map[bool]string{true: "&", false: "?"}[strings.Contains(first, "?")] + "limit=1"
		if cursor != "" {
			at += "&cursor=" + url.QueryEscape(cursor)
		}
		r := s.call(key, http.MethodGet, at, "")
		if r.status != http.StatusOK {
			s.t.Fatalf("%s: status %d: %s", at, r.status, r.body)
		}
		pages = append(pages, r.body)
		cursor, _ = r.json(s.t)["next"].(string)
		if cursor == "" {
			return pages
		}
	}
	s.t.Fatalf("%s does not end", path)
	return nil
}

// TestPagesAreTheWhole reads lists one item at a time and compares what comes with the whole list.
func TestPagesAreTheWhole(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	owner, err := s.accounts.Authenticate(t.Context(), s.system)
	must(t, err)
	meters := []logdb.MeterUID{s.uid, s.register(owner, "3"), s.register(owner, "4")}
	for i, uid := range meters {
		at := api.Root + "/meters/" + string(uid)
		s.ok(s.upload, http.MethodPost, at+"/logs/historical", rows(day0, 3))
		s.ok(s.system, http.MethodPut, at+"/expiration", `{"expires":"2026-03-2`+fmt.Sprint(5-i/2)+`"}`) // two on one day
	}
	s.ok(s.system, http.MethodPut, api.Root+"/licensing", `{"required":false,"billable":["analysis","corrections"]}`)
	for _, name := range []string{"analysis", "corrections"} {
		s.ok(s.admin, http.MethodPut, api.Root+"/extensions/"+name, `{"on":true}`)
	}
	s.ok(s.admin, http.MethodPost, api.Root+"/invitations", `{"email":"second@example.net"}`)
	_, err = s.accounts.CreateFacility(t.Context(), owner, account.Facility{Name: "second hall", Customer: owner.Customer})
	must(t, err)
	for _, serial := range []string{"p1", "p2"} {
		r := s.call("", http.MethodPost, api.Root+"/meters/register", `{"make":"EIG","serial":"`+serial+`"}`)
		if r.status != http.StatusOK {
			t.Fatal(r.body)
		}
	}
	at := api.Root + "/meters/" + string(s.uid)
	for path, least := range map[string]int{
		"/meters": 3, "/keys": 4, "/roles": 3, "/users": 2, "/facilities": 2, "/invitations": 2, "/latest": 3, "/renewals": 3, "/usage/2026-03": 3, "/unassigned-meters": 2,
		"/customers": 2, "/status": 3, strings.TrimPrefix(at, api.Root) + "/channels": 2, strings.TrimPrefix(at, api.Root) + "/streams/historical": 1,
	} {
		t.Run(path, func(t *testing.T) {
			whole := s.ok(s.system, http.MethodGet, api.Root+path, "")
			pages := s.pagesOfOne(s.system, api.Root+path)
			if len(pages) < least {
				t.Errorf("%d pages, want %d at least", len(pages), least)
			}
			if strings.HasPrefix(path, "/usage") {
				s.sameUsage(path, pages)
				return
			}
			for name, list := range whole {
				rows, ok := list.([]any)
				if !ok || name == "warnings" {
					continue
				}
				var got []any
				for _, body := range pages {
					part, _ := response{body: body}.json(t)[name].([]any)
					if len(part) > 1 {
						t.Errorf("%s: a page of one has %d", name, len(part))
					}
					got = append(got, part...)
				}
				if !reflect.DeepEqual(steady(got), steady(rows)) {
					t.Errorf("%s: pages hold\n%v\nthe whole\n%v", name, got, rows)
				}
			}
		})
	}
	for _, bad := range []string{"/renewals?cursor=x", "/usage/2026-03?cursor=x", "/latest?cursor=x", "/keys?cursor=x", "/latest?limit=-1", "/status?limit=x", "/roles?cursor=bXxhYmM"} {
		if r := s.call(s.system, http.MethodGet, api.Root+bad, ""); r.status != http.StatusBadRequest && r.status != http.StatusUnprocessableEntity {
			t.Errorf("%s: status %d: %s", bad, r.status, r.body)
		}
	}
}

// steady leaves out what changes from one call to the next.
func steady(rows []any) []any {
	for _, r := range rows {
		if m, ok := r.(map[string]any); ok {
			delete(m, "last_used_ms")
		}
	}
	return rows
}

// sameUsage joins the pages of a report as the client does, and compares them with the whole and with the lines of the CSV.
func (s *server) sameUsage(path string, pages []string) {
	s.t.Helper()
	var whole, joined api.UsageReport
	must(s.t, json.Unmarshal([]byte(s.call(s.system, http.MethodGet, api.Root+path, "").body), &whole))
	for i, body := range pages {
		var page api.UsageReport
		must(s.t, json.Unmarshal([]byte(body), &page))
		if i == 0 {
			joined = page
			continue
		}
		joined.Join(page)
	}
	if !reflect.DeepEqual(joined, whole) {
		s.t.Errorf("pages hold\n%+v\nthe whole\n%+v", joined, whole)
	}
	csv := s.call(s.system, http.MethodGet, api.Root+path+"?format=csv&limit=1", "").body
	if want := string(whole.CSV(true)); csv != want {
		s.t.Errorf("CSV\n%s\nwant\n%s", csv, want)
	}
	if n := len(whole.Customers[0].Meters) + len(whole.Customers[0].Extensions) + len(whole.Customers[len(whole.Customers)-1].Meters); n < 5 {
		s.t.Errorf("%d lines of %+v", n, whole)
	}
}
