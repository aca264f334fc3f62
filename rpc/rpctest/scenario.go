package rpctest

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"metermanager/rpc/fault"
)

// Scenario is one request with what its answer must and must not be.
type Scenario struct {
	Name   string
	Method string // GET when ""
	Path   string
	Header map[string]string
	Body   string

	Status int
	Code   fault.Code // of a refusal: the answer must be a problem document with it
	Want   []string   // parts of the answer
	Never  []string   // what may not stand in it, such as secrets that were sent
	Check  func(t *testing.T, answer *http.Response, body []byte)
}

// Run sends each scenario to handler, as a test of its own.
func Run(t *testing.T, handler http.Handler, scenarios []Scenario) {
	t.Helper()
	for _, s := range scenarios {
		t.Run(s.Name, func(t *testing.T) { s.run(t, handler) })
	}
}

func (s Scenario) run(t *testing.T, handler http.Handler) {
	t.Helper()
	method := s.Method
	if method == "" {
		method = http.MethodGet
	}
	r := httptest.NewRequestWithContext(t.Context(), method, s.Path, strings.NewReader(s.Body))
	if s.Body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for name, value := range s.Header {
		r.Header.Set(name, value)
	}
	rec := httptest.NewRecorder()
	handler.ServeHTTP(rec, r)
	res := rec.Result()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("read the answer: %v", err)
	}
	if res.StatusCode != s.Status {
		t.Errorf("status %d, want %d: %.500s", res.StatusCode, s.Status, body)
	}
	if s.Code != "" {
		s.problem(t, res, body)
	}
	for _, part := range s.Want {
		if !strings.Contains(string(body), part) {
			t.Errorf("the answer lacks %q: %.500s", part, body)
		}
	}
	for _, part := range s.Never {
		if strings.Contains(string(body), part) {
			t.Errorf("the answer holds %q: %.500s", part, body)
		}
	}
	if s.Check != nil {
		s.Check(t, res, body)
	}
}

// problem checks the rules of every refusal.
func (s Scenario) problem(t *testing.T, res *http.Response, body []byte) {
	t.Helper()
	var p fault.Problem
	if err := json.Unmarshal(body, &p); err != nil || !strings.HasPrefix(res.Header.Get("Content-Type"), fault.ContentType) {
		t.Errorf("the refusal is no problem document: %s: %.500s", res.Header.Get("Content-Type"), body)
		return
	}
	if p.Code != s.Code || p.Status != res.StatusCode || p.Detail == "" || p.Title == "" {
		t.Errorf("got %+v, want code %s and status %d", p, s.Code, s.Status)
	}
}
