package webapi_test

import (
	"bytes"
	"encoding/xml"
	"io"
	"net/http"
	"strings"
	"testing"

	"metermanager/rpc/api"
)

// TestEveryAnswerInXML asks every question in XML: the answer is the translation of the one in JSON, with its status, and refusals are
// problems in XML.
func TestEveryAnswerInXML(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.ok(s.upload, "POST", s.meterPath("/logs/historical"), rows(day0, 5))
	calls := samples(s.ours)
	for _, op := range api.Operations() {
		if op.Method != http.MethodGet {
			continue
		}
		path := calls[op.ID].path
		if path == "" {
			path = op.Path
		}
		for _, key := range []string{s.admin, ""} {
			plain := s.call(key, "GET", path, "")
			r := s.call(key, "GET", path, "", "Accept", "application/xml")
			media := plain.header.Get("Content-Type")
			kind, problem := "", strings.HasPrefix(media, "application/problem+json")
			switch {
			case op.ID == api.OpOpenAPI || !problem && !strings.HasPrefix(media, "application/json"):
				kind = media // passed on as it is
			case problem:
				kind = api.XMLProblemType
			default:
				kind = api.XMLType
			}
			if r.status != plain.status || !strings.HasPrefix(r.header.Get("Content-Type"), kind) {
				t.Errorf("%s: status %d of %s, want %d of %s", op.ID, r.status, r.header.Get("Content-Type"), plain.status, kind)
				continue
			}
			if !strings.HasPrefix(kind, "application/") || !strings.HasSuffix(kind, "xml") {
				continue
			}
			d := xml.NewDecoder(strings.NewReader(r.body))
			for {
				if _, err := d.Token(); err == io.EOF {
					break
				} else if err != nil {
					t.Errorf("%s: %v: %.300s", op.ID, err, r.body)
					break
				}
			}
			if problem || op.ID == api.OpStatus || op.ID == api.OpReady || op.ID == api.OpMeterStatus { // they hold times of now and ids of the request
				continue
			}
			var want bytes.Buffer
			must(t, api.WriteXML(&want, strings.NewReader(plain.body), false))
			if r.body != want.String() {
				t.Errorf("%s: %.300s\nwant %.300s", op.ID, r.body, want.String())
			}
		}
	}
}

// TestAcceptDecides: JSON unless XML is preferred to it, and a refusal of a query in XML too.
func TestAcceptDecides(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for accept, want := range map[string]string{
		"": "application/json", "*/*": "application/json", "application/json": "application/json", "text/xml": "application/xml",
		"application/xml": "application/xml", "application/xml;q=0.9, application/json": "application/json", "application/json;q=0.1, application/xml;q=0.2": "application/xml",
		"application/xml;q=0": "application/json", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8": "application/json", "nonsense;;": "application/json",
	} {
		r := s.call(s.admin, "GET", s.meterPath(""), "", "Accept", accept)
		if got := r.header.Get("Content-Type"); !strings.HasPrefix(got, want) || r.status != 200 {
			t.Errorf("%q is answered with %d %s, want %s", accept, r.status, got, want)
		}
		if !strings.Contains(strings.Join(r.header.Values("Vary"), ","), "Accept") {
			t.Errorf("%q: Vary %q", accept, r.header.Values("Vary"))
		}
	}
	r := s.call(s.admin, "GET", s.meterPath("/logs/historical?cursor=x&raw=y"), "", "Accept", "application/xml")
	if r.status < 400 || !strings.Contains(r.body, `<problem xmlns="urn:ietf:rfc:7807">`) || !strings.Contains(r.body, "<code>") {
		t.Errorf("a refusal: %d %s", r.status, r.body)
	}
}
