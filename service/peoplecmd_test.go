package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"metermanager/rpc/api"
	"metermanager/rpc/client"
)

// elsewhere are the operations about people and customers that other commands carry out, or that are none for a command line.
var elsewhere = map[string]string{
	api.OpSetupPage: "a page", api.OpJoinPage: "a page", api.OpResetPage: "a page", api.OpSetup: "the page of the first start", api.OpLogin: "--user", api.OpLogout: "--user",
	api.OpUser: "key rotate", api.OpKeys: "key", api.OpCreateKey: "key", api.OpRotateKey: "key", api.OpRevokeKey: "key",
}

// TestEveryOperationOfPeopleHasACommand: no operation about accounts is out of reach of the command line, and every command has one.
func TestEveryOperationOfPeopleHasACommand(t *testing.T) {
	t.Parallel()
	has := map[string]bool{}
	for words, id := range operationsOf {
		op, ok := api.Lookup(id)
		if !ok {
			t.Errorf("%s carries out %s, which is not there", words, id)
		}
		has[op.ID] = true
	}
	for _, op := range api.Operations() {
		if op.Tag == "account" && !has[op.ID] && elsewhere[op.ID] == "" {
			t.Errorf("%s has no command", op.ID)
		}
	}
	parser, err := newParser(&cli{}, &program{stdout: io.Discard, stderr: io.Discard}, func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, noun := range parser.Model.Children {
		for _, verb := range noun.Children {
			if verb.Target.Type().Name() != "opCmd" {
				continue
			}
			found++
			if operationsOf[noun.Name+" "+verb.Name] == "" {
				t.Errorf("%s %s carries out nothing", noun.Name, verb.Name)
			}
		}
	}
	if found != len(operationsOf) {
		t.Errorf("%d commands, %d operations", found, len(operationsOf))
	}
}

func TestOperationWords(t *testing.T) {
	t.Parallel()
	op := func(id string) api.Operation { o, _ := api.Lookup(id); return o }
	for _, x := range []struct {
		id    string
		words []string
		stdin string
		want  string
	}{
		{api.OpSetRoles, []string{"u1", "add=a,b", "remove=c", "by_facility=true", "facilities="}, "", "[u1] map[] map[add:[a b] by_facility:true facilities:[] remove:[c]]"},
		{api.OpAssignMeter, []string{"m", "remove=true"}, "", "[m] map[] map[remove:true]"},
		{api.OpChangePassword, []string{"old=-", "password=-"}, "one=1\ntwo\n", "[] map[] map[old:one=1 password:two]"},
		{api.OpPool, []string{"serial=x=y"}, "", "[] map[serial:[x=y]] map[]"},
		{api.OpBanUser, []string{"u", "why="}, "", "[u] map[] map[why:]"},
		{api.OpGetUser, nil, "", "error"}, {api.OpAddUser, []string{"name"}, "", "error"}, {api.OpAddUser, []string{"password=-"}, "", "error"},
	} {
		values, query, body, err := opArgs(op(x.id), x.words, strings.NewReader(x.stdin))
		got := fmt.Sprintf("%v %v %v", values, query, body)
		if err != nil {
			got = "error"
		}
		if got != x.want {
			t.Errorf("%v: %s, want %s", x.words, got, x.want)
		}
	}
}

func TestAnswersAsTables(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := printAnswer(&out, []byte(`{"users":[{"user_uid":"1","user":"ann","roles":["limited","r1"],"created_ms":1767225600000,"permissions":"x"},{"user_uid":"2","user":"ben","disabled":true,"roles":[],"permissions":""}],"next":"abc"}`)); err != nil {
		t.Fatal(err)
	}
	want := "user  user_uid  roles       created_ms        disabled\n" +
		"----  --------  ----------  ----------------  --------\n" +
		"ann   1         limited,r1  2026-01-01 00:00\n" +
		"ben   2                                       true\n\nThere is more: cursor=abc\n"
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
	out.Reset()
	if err := printAnswer(&out, []byte(`{"user":"ann","roles":[],"meter":{"sees":false,"why":"not enabled"},"grants":[{"by":["a","b"],"permission":"upload"}],"operations":[{"name":"x","allowed":true}]}`)); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); got != "meter.sees: false\nmeter.why: not enabled\nroles: \nuser: ann\n\ngrants\nby   permission\n---  ----------\na,b  upload\n\noperations\nname  allowed\n----  -------\nx     true\n" {
		t.Errorf("%q", got)
	}
	out.Reset()
	if err := printAnswer(&out, []byte(`{"roles":[{"role":"a"}]}`)); err != nil || out.String() != "role\n----\na\n" {
		t.Errorf("%q, %v", out.String(), err)
	}
	out.Reset()
	if err := printAnswer(&out, []byte(`{"keys":[]}`)); err != nil || out.String() != "none\n" {
		t.Errorf("%q, %v", out.String(), err)
	}
	out.Reset()
	if err := printAnswer(&out, []byte(`{"ok":true,"roles":["a","b"]}`)); err != nil || out.String() != "ok: true\nroles: a,b\n" {
		t.Errorf("%q, %v", out.String(), err)
	}
}

// TestListsAreReadToTheirEnd: a list that comes in pages is one answer, unless somebody asks for a page.
func TestListsAreReadToTheirEnd(t *testing.T) {
	t.Parallel()
	node := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		page := map[string]string{"": `{"users":[{"user":"a"}],"next":"1"}`, "1": `{"users":[{"user":"b"}],"next":"2"}`, "2": `{"users":[{"user":"c"}]}`}[r.URL.Query().Get("cursor")]
		_, _ = io.WriteString(w, page)
	}))
	t.Cleanup(node.Close)
	c, err := client.New(node.URL, client.Config{Retries: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	op, _ := api.Lookup(api.OpUsers)
	for _, x := range []struct {
		query url.Values
		want  string
	}{
		{url.Values{}, `{"users":[{"user":"a"},{"user":"b"},{"user":"c"}]}`},
		{url.Values{"cursor": {"1"}}, `{"users":[{"user":"b"}],"next":"2"}`},
		{url.Values{"limit": {"1"}}, `{"users":[{"user":"a"}],"next":"1"}`},
	} {
		got, err := everyPage(t.Context(), c, op, nil, x.query, map[string]any{})
		if err != nil || string(got) != x.want {
			t.Errorf("%v: %s, %v, want %s", x.query, got, err, x.want)
		}
	}
}
