package webapi

import (
	"net/http"

	"metermanager/rpc/fault"
)

// authority sends the certificate by which clients can trust this node, once they have compared its fingerprint.
func (a *API) authority(w http.ResponseWriter, _ *http.Request, _ caller) error {
	if len(a.cfg.Authority) == 0 {
		return fault.New(fault.NotFound, "This node has no certificate authority of its own.")
	}
	h := w.Header()
	h.Set("Content-Type", "application/x-pem-file")
	h.Set("Content-Disposition", `attachment; filename="metermanager-ca.pem"`)
	_, _ = w.Write(a.cfg.Authority) // a client that went away needs no answer
	return nil
}
