package client_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"metermanager/rpc/client"
	"metermanager/rpc/fault"
)

// A backup that is cut off on its way is an error, and one that is refused is what the other side says.
func TestBackupIsWholeOrAnError(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("0123456789", 50_000)
	for _, c := range []struct {
		name  string
		serve http.HandlerFunc
		want  error
	}{
		{"whole", func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Get("key") != "no" || r.Header.Get("Accept-Encoding") != "identity" {
				http.Error(w, r.URL.String(), http.StatusTeapot)
				return
			}
			_, _ = io.WriteString(w, long)
		}, nil},
		{"cut off", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, long)
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}, fault.Unavailable},
		{"refused", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", fault.ContentType)
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, `{"status":403,"code":"forbidden","title":"no"}`)
		}, fault.Forbidden},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := httptest.NewServer(c.serve)
			t.Cleanup(s.Close)
			node, err := client.New(s.URL, client.Config{APIKey: "mmk_x"})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(node.Close)
			var got bytes.Buffer
			err = node.Backup(t.Context(), true, &got)
			if !errors.Is(err, c.want) {
				t.Fatalf("it ends with %v, want %v", err, c.want)
			}
			if c.want == nil && got.String() != long {
				t.Errorf("%d bytes came of %d", got.Len(), len(long))
			}
		})
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, long) }))
	t.Cleanup(s.Close)
	node, err := client.New(s.URL, client.Config{APIKey: "mmk_x"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(node.Close)
	full := errors.New("the disk is full")
	if err := node.Backup(t.Context(), false, failing{full}); !errors.Is(err, full) {
		t.Errorf("a disk that is full: %v", err)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }
