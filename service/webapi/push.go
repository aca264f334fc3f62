package webapi

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"metermanager/logdb"
	"metermanager/rpc/api"
	"metermanager/rpc/fault"
	"metermanager/service/cloud/account"
)

// upload takes a page in: its meter stands in the path, or in the body of a push.
func (a *API) upload(w http.ResponseWriter, r *http.Request, c caller) error {
	body, up, err := a.readPage(w, r, c)
	if err != nil {
		return err
	}
	p, err := a.uploader(r.Context(), c, up)
	if err != nil {
		return err
	}
	ack, err := a.Push.Push(r.Context(), p, up.Page)
	if err != nil {
		return err
	}
	if a.noteWaiting(c, up.Page.Meter); c.request.waiting != "" {
		w.Header().Set(api.WaitingHeader, c.request.waiting)
	}
	status := http.StatusOK // durable in the store
	if !ack.Done {
		status = http.StatusAccepted // durable in the bus
	}
	return writeJSON(w, status, api.UploadAnswer{
		Stored: ack.Result.Stored, Repeats: ack.Result.Repeats, Revised: ack.Result.Revised, Skipped: ack.Result.Skipped,
		Refused: ack.Result.Refused, Receipt: api.Receipt(body), Ignored: up.Ignored,
	})
}

// readPage reads and parses the body of an upload.
func (a *API) readPage(w http.ResponseWriter, r *http.Request, c caller) ([]byte, api.Upload, error) {
	kind, err := parseKind(r.PathValue("kind"))
	if err != nil {
		return nil, api.Upload{}, err
	}
	body, err := readUpload(w, r, c)
	if err != nil {
		return nil, api.Upload{}, err
	}
	up, err := api.ParsePage(kind, body, a.cfg.Scan)
	if err != nil {
		return nil, api.Upload{}, err
	}
	return body, up, setMeter(&up.Page, logdb.MeterUID(r.PathValue("meter_uid")))
}

// uploader returns whose key came with the page, in a header or in the body.
func (a *API) uploader(ctx context.Context, c caller, up api.Upload) (account.Principal, error) {
	if c.Known() {
		return c.Principal, nil
	}
	if up.APIKey == "" {
		return account.Principal{}, fault.New(fault.Unauthenticated, "The page came without a key.").
			WithHint("Send it in the header " + keyHeader + ", or as apikey in the body.")
	}
	return a.Accounts.Authenticate(ctx, up.APIKey)
}

// setMeter joins the meter of the path and that of the body.
func setMeter(page *logdb.Page, path logdb.MeterUID) error {
	switch {
	case path == "" && page.Meter == "":
		return fault.New(fault.Invalid, "The page does not name its meter.").At("meter_uid")
	case path != "" && page.Meter != "" && page.Meter != path:
		return fault.New(fault.Invalid, "The page names another meter than the path.").At("meter_uid")
	case path != "":
		page.Meter = path
	}
	return nil
}

// readUpload reads a body. Before anybody is known it may be smaller only.
func readUpload(w http.ResponseWriter, r *http.Request, c caller) ([]byte, error) {
	src := io.ReadCloser(r.Body)
	if !c.Known() {
		src = http.MaxBytesReader(w, src, maxKeylessBody)
	}
	body, err := io.ReadAll(src)
	if err != nil {
		return nil, fmt.Errorf("read an upload: %w", err)
	}
	return body, nil
}
