package webapi_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"metermanager/rpc/api"
)

// gone is a client that went away after so many bytes.
type gone struct {
	header http.Header
	left   int
}

func (g *gone) Header() http.Header { return g.header }

func (g *gone) WriteHeader(int) {}

func (g *gone) Write(b []byte) (int, error) {
	if g.left -= len(b); g.left < 0 {
		return 0, errors.New("broken pipe")
	}
	return len(b), nil
}

// TestClientsThatLeaveAnXMLAnswer are none of the node's troubles: the answer is cut off, and nothing is warned of.
func TestClientsThatLeaveAnXMLAnswer(t *testing.T) {
	t.Parallel()
	s, db, handler := emptyNode(t)
	s.populate(db)
	req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/version", nil)
	req.Header.Set("Accept", api.XMLType)
	func() {
		defer func() {
			if got := recover(); got != http.ErrAbortHandler {
				t.Errorf("the answer is not cut off: %v", got)
			}
		}()
		handler.ServeHTTP(&gone{http.Header{}, 5}, req)
	}()
	if strings.Contains(s.log.String(), "WARN") || strings.Contains(s.log.String(), "ERROR") {
		t.Errorf("the log says\n%s", s.log.String())
	}
}
