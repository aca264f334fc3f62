package webapi

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"metermanager/logdb"
	"metermanager/rpc/api"
	"metermanager/rpc/fault"
	"metermanager/rpc/host"
	"metermanager/service/cloud/account"
	"metermanager/service/cloud/ingest"
)

// upload takes a page in: its meter stands in the path, or in the body of a push.
func (a *API) upload(w http.ResponseWriter, r *http.Request, c caller) error {
	admission, err := a.Push.Admit(r.Context(), sender(c), expected(r.Context()))
	if err != nil {
		drain(r.Body)
		return err
	}
	defer admission.Release()
	body, up, err := a.readPage(w, r, c, admission)
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

// sender is who waits in one queue before the gate: a key, a login, or an address.
func sender(c caller) string {
	switch {
	case c.Key != "":
		return "key " + string(c.Key)
	case c.User != "":
		return "user " + string(c.User)
	}
	return "address " + c.request.address
}

// unknownBody is what a body of unknown length is taken for at first.
const unknownBody = 1 << 20

func expected(ctx context.Context) int64 {
	if n := host.ExpectedBody(ctx); n > 0 {
		return min(n, maxUploadBody)
	}
	return unknownBody
}

// mostDrained is how much of a refused body is read: a sender that is still writing would see a broken
// connection instead of the answer.
const mostDrained = 8 << 20

func drain(body io.Reader) { _, _ = io.CopyN(io.Discard, body, mostDrained) }

// admitted reads a body, asking for more room when there is more of it than was expected.
type admitted struct {
	r         io.Reader
	admission *ingest.Admission
	left      int64
}

// growBy is how much more room is asked for at a time.
const growBy = 2 << 20

// Read reads a piece.
func (a *admitted) Read(p []byte) (int, error) {
	if a.left <= 0 {
		if err := a.admission.Grow(growBy); err != nil {
			drain(a.r)
			return 0, err
		}
		a.left += growBy
	}
	n, err := a.r.Read(p)
	a.left -= int64(n)
	return n, err
}

// readPage reads and parses the body of an upload.
func (a *API) readPage(w http.ResponseWriter, r *http.Request, c caller, admission *ingest.Admission) ([]byte, api.Upload, error) {
	kind, err := parseKind(r.PathValue("kind"))
	if err != nil {
		return nil, api.Upload{}, err
	}
	body, err := readUpload(w, r, c, admission)
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
	return a.authenticate(ctx, up.APIKey)
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
func readUpload(w http.ResponseWriter, r *http.Request, c caller, admission *ingest.Admission) ([]byte, error) {
	src := io.ReadCloser(r.Body)
	if !c.Known() {
		src = http.MaxBytesReader(w, src, maxKeylessBody)
	}
	body, err := io.ReadAll(&admitted{r: src, admission: admission, left: expected(r.Context())})
	if err != nil {
		return nil, fmt.Errorf("read an upload: %w", err)
	}
	return body, nil
}
