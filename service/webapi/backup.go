package webapi

import (
	"context"
	"errors"
	"net/http"

	"metermanager/rpc/fault"
	"metermanager/rpc/host"
	"metermanager/service/cloud/audit"
)

var backupParams = []param{{"key", "no leaves the master key out; then the secrets in the databases cannot be opened without it"}}

// backup sends the whole state of the node. The file ends with a manifest: one that was cut off has none.
func (a *API) backup(w http.ResponseWriter, r *http.Request, c caller) error {
	if a.Backup == nil {
		return fault.New(fault.Unavailable, "This node cannot be backed up in this way.")
	}
	key := r.URL.Query().Get("key")
	if key != "" && key != "yes" && key != "no" {
		return fault.New(fault.Invalid, "Want yes or no.").At("key")
	}
	h := w.Header()
	out := &lateHead{w: w, head: func() {
		h.Set("Content-Type", "application/zstd")
		h.Set("Content-Disposition", `attachment; filename="metermanager.backup"`)
		h.Set("No-Gzip-Compression", "1") // it is packed already
	}}
	a.log.InfoContext(r.Context(), "sending a backup", "user", string(c.User), "key", string(c.Key), "result", "begun")
	// The databases are copied into new ones for it: that is no change by anybody, and the event of the backup belongs here.
	err := a.Backup(audit.Quiet(r.Context()), key == "no", out)
	if err == nil {
		a.log.InfoContext(r.Context(), "sent a backup", "user", string(c.User), "key", string(c.Key), "bytes", out.bytes)
		return nil
	}
	if out.bytes == 0 {
		return err
	}
	if !errors.Is(err, context.Canceled) {
		a.log.WarnContext(r.Context(), "cut off a backup", "request_id", host.RequestID(r.Context()), "err", err)
	}
	panic(http.ErrAbortHandler)
}

// lateHead sets the head of an answer with its first byte: until then an error can still be answered.
type lateHead struct {
	w     http.ResponseWriter
	head  func()
	bytes int64
}

// Write implements io.Writer.
func (l *lateHead) Write(p []byte) (int, error) {
	if l.bytes == 0 {
		l.head()
	}
	n, err := l.w.Write(p)
	l.bytes += int64(n)
	return n, err
}
