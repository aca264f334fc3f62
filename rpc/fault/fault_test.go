package fault_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"strings"
	"testing"

	"metermanager/rpc/fault"
)

func TestAcrossTheWire(t *testing.T) {
	t.Parallel()
	cause := errors.New("password hunter2 is wrong")
	for _, code := range []fault.Code{
		fault.Invalid, fault.Damaged, fault.Unauthenticated, fault.Forbidden, fault.NotFound, fault.MethodNotAllowed, fault.NotAcceptable,
		fault.Conflict, fault.TooLarge, fault.UnsupportedMedia, fault.RateLimited, fault.Timeout, fault.Unavailable,
		fault.Full, fault.Canceled, fault.Internal,
	} {
		sent := fault.Wrap(code, "no way", cause).At("password").WithHint("try again").WithRequest("r-1")
		rec := httptest.NewRecorder()
		rec.Header().Set("ETag", `"x"`)
		if err := fault.Write(rec, sent); err != nil {
			t.Fatal(err)
		}
		res := rec.Result()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(body), "hunter2") {
			t.Fatalf("%s: the cause is in the document: %s", code, body)
		}
		if res.Header.Get("ETag") != "" || res.StatusCode != fault.HTTPStatus(code) {
			t.Fatalf("%s: status %d, header %v", code, res.StatusCode, res.Header)
		}
		got := fault.Read(res.StatusCode, res.Header.Get("Content-Type"), body)
		wrapped := fmt.Errorf("push page 3: %w", got)
		if !errors.Is(wrapped, code) || !errors.Is(wrapped, fault.New(code, "no way")) || errors.Is(wrapped, fault.Code("other")) {
			t.Errorf("%s: errors.Is does not hold across the wire: %v", code, wrapped)
		}
		if got.Field != "password" || got.Hint != "try again" || got.RequestID != "r-1" {
			t.Errorf("%s: got %+v", code, got)
		}
		if !code.Valid() {
			t.Errorf("%s has no row in the table", code)
		}
	}
}

func TestFrom(t *testing.T) {
	t.Parallel()
	if fault.From(nil) != nil || fault.CodeOf(nil) != "" {
		t.Error("nil is not an error")
	}
	secret := errors.New("secret")
	if e := fault.From(secret); e.Code != fault.Internal || strings.Contains(e.Message, "secret") || !errors.Is(e, secret) {
		t.Errorf("unknown error: %+v", e)
	}
	inner := fault.New(fault.Conflict, "twice").At("user")
	e := fault.From(fmt.Errorf("create user: %w", inner))
	if e.Code != fault.Conflict || e.Message != "twice" || e.Field != "user" || !strings.Contains(e.Error(), "create user") {
		t.Errorf("wrapped: %+v", e)
	}
	if e := fault.From(fmt.Errorf("x: %w", fault.NotFound)); e.Code != fault.NotFound {
		t.Errorf("bare code: %+v", e)
	}
	if b, err := json.Marshal(inner); err != nil || !strings.Contains(string(b), `"code":"conflict"`) {
		t.Errorf("%s, %v", b, err)
	}
}

func TestReadOfStrangers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status      int
		contentType string
		body        string
		want        fault.Code
	}{
		{502, "text/html", "<h1>bad gateway</h1>", fault.Unavailable},
		{503, "", "", fault.Unavailable},
		{507, "application/problem+json", `{"code":`, fault.Full},
		{413, "application/problem+json", `{"code":"brand_new"}`, fault.TooLarge},
		{422, "application/json", `{}`, fault.Unavailable},
		{418, "", "", fault.Unavailable},
		{400, "text/html", "<h1>bad request</h1>", fault.Unavailable},
		{400, "application/problem+json", `{"code":"brand_new"}`, fault.Invalid},
		{404, "application/problem+json; charset=utf-8", `{"code":"forbidden","detail":"d"}`, fault.Forbidden},
		{200, "", "", fault.Unavailable},
	} {
		got := fault.Read(c.status, c.contentType, []byte(c.body))
		if got.Code != c.want || strings.Contains(got.Message, "<") {
			t.Errorf("%d %s %s: got %+v, want %s", c.status, c.contentType, c.body, got, c.want)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(400, "application/problem+json", []byte(`{"code":"invalid","detail":"x"}`))
	f.Fuzz(func(t *testing.T, status int, contentType string, body []byte) {
		if e := fault.Read(status, contentType, body); !e.Code.Valid() || len(e.Message) > 3100 {
			t.Errorf("%+v", e)
		}
	})
}
