package host

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"hash"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"metermanager/rpc/fault"
)

// timedBody moves the deadline on with each read, but never beyond what the slowest pace allows: who sends a byte
// now and then would hold its place for ever.
type timedBody struct {
	io.ReadCloser
	rc      *http.ResponseController
	timeout time.Duration
	slowest int64 // bytes a second
	began   time.Time
	bytes   int64
}

// Read reads a piece within the timeout.
func (b *timedBody) Read(p []byte) (int, error) {
	now := time.Now()
	if b.began.IsZero() {
		b.began = now
	}
	deadline := now.Add(b.timeout)
	if last := b.began.Add(2*b.timeout + time.Duration(b.bytes/b.slowest)*time.Second); last.Before(deadline) {
		deadline = last
	}
	_ = b.rc.SetReadDeadline(deadline)
	n, err := b.ReadCloser.Read(p)
	b.bytes += int64(n)
	switch {
	case err == io.EOF: // no deadline may be left behind: it would end the request's context
		_ = b.rc.SetReadDeadline(time.Time{})
	case err != nil: // the rest is not waited for either: the server reads on to its end when the handler is done
		_ = b.rc.SetReadDeadline(now)
	}
	return n, err
}

// timedWriter moves the deadline on with each write.
type timedWriter struct {
	http.ResponseWriter
	rc      *http.ResponseController
	timeout time.Duration
}

// Unwrap lets http.ResponseController through.
func (w *timedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Write writes a piece within the timeout.
func (w *timedWriter) Write(p []byte) (int, error) {
	_ = w.rc.SetWriteDeadline(time.Now().Add(w.timeout))
	return w.ResponseWriter.Write(p)
}

// unpacked bounds bodies on the wire and unpacks gzip and zstd, bounded again: a megabyte can
// unpack to a thousand. Handlers read plain bytes; errors of reading are faults.
func unpacked(cfg Config) middleware {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.ContentLength > cfg.WireBytes {
				w.Header().Set("Connection", "close")
				cfg.refuse(w, r, tooLarge(cfg.WireBytes))
				return
			}
			length := r.ContentLength
			r = r.WithContext(context.WithValue(r.Context(), bodySizeKey{}, bodySize{length, r.Header.Get("Content-Encoding") != ""}))
			wire := &limited{r: digested(r), left: cfg.WireBytes, limit: cfg.WireBytes}
			encoding := strings.ToLower(strings.TrimSpace(r.Header.Get("Content-Encoding")))
			if len(r.Header.Values("Content-Encoding")) > 1 {
				encoding = "several"
			}
			switch encoding {
			case "", "identity":
				r.Body = readCloser{wire, r.Body}
			case "gzip", "x-gzip", "zstd":
				body := &packed{wire: wire, kind: encoding}
				defer body.end()
				r.Body = readCloser{&limited{r: body, left: cfg.BodyBytes, limit: cfg.BodyBytes}, r.Body}
				r.Header.Del("Content-Encoding")
				r.Header.Del("Content-Length")
				r.ContentLength = -1
			default:
				w.Header().Set("Accept-Encoding", "gzip, zstd")
				cfg.refuse(w, r, fault.New(fault.UnsupportedMedia, "The encoding of the body is not understood.").At("Content-Encoding").
					WithHint("Send it as gzip, as zstd, or plain."))
				return
			}
			if err := readAhead(r, length); err != nil {
				cfg.refuse(w, r, err)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

type bodySizeKey struct{}

type bodySize struct {
	wire   int64
	packed bool
}

// usualRatio is what text of pages usually packs to.
const usualRatio = 8

// ExpectedBody guesses how many bytes the body of a request has when it is unpacked; 0: nothing is known.
func ExpectedBody(ctx context.Context) int64 {
	s, _ := ctx.Value(bodySizeKey{}).(bodySize)
	if s.packed {
		return max(s.wire, 0) * usualRatio
	}
	return max(s.wire, 0)
}

// Small bodies are read before their handler runs, up to so much: decoders of documents
// would call a body that was cut, or is none of its encoding, an internal error.
const (
	smallBody = 16 << 10 // on the wire
	aheadMost = 1 << 20
)

func readAhead(r *http.Request, wire int64) error {
	if wire < 0 || wire > smallBody {
		return nil
	}
	head, err := io.ReadAll(io.LimitReader(r.Body, aheadMost))
	if err != nil {
		var f *fault.Error
		if errors.As(err, &f) {
			return f
		}
		return fault.Wrap(fault.Invalid, "The body was cut.", err)
	}
	r.Body = readCloser{io.MultiReader(bytes.NewReader(head), r.Body), r.Body}
	return nil
}

// digested compares a body with its Content-Digest (RFC 9530) where it ends, so that what was
// cut or changed on the way is refused. Other algorithms than sha-256 are passed over.
func digested(r *http.Request) io.Reader {
	if r.Body == nil {
		return nil
	}
	for part := range strings.SplitSeq(r.Header.Get("Content-Digest"), ",") {
		name, value, ok := strings.Cut(strings.TrimSpace(part), "=")
		if !ok || !strings.EqualFold(name, "sha-256") {
			continue
		}
		sum, err := base64.StdEncoding.DecodeString(strings.Trim(value, ":"))
		if err != nil || len(sum) != sha256.Size {
			return failed{fault.New(fault.Invalid, "The digest of the body is not one.").At("Content-Digest")}
		}
		return &digest{r: r.Body, want: sum, hash: sha256.New()}
	}
	return r.Body
}

type digest struct {
	r    io.Reader
	want []byte
	hash hash.Hash
}

// Read reads a piece; the end is checked.
func (d *digest) Read(p []byte) (int, error) {
	n, err := d.r.Read(p)
	d.hash.Write(p[:n])
	if err == io.EOF && !bytes.Equal(d.hash.Sum(nil), d.want) {
		err = errChanged()
	}
	return n, err
}

// errChanged is no mistake of the sender: the same body may arrive whole the next time.
func errChanged() error {
	return fault.New(fault.Damaged, "The body is not the one whose digest came along: it was cut or changed on the way.").At("Content-Digest").
		WithHint("Send it again.")
}

type failed struct{ err error }

// Read fails.
func (f failed) Read([]byte) (int, error) { return 0, f.err }

func tooLarge(limit int64) *fault.Error {
	return fault.Newf(fault.TooLarge, "The body has more than %d bytes.", limit).WithHint("Send smaller pages.")
}

type readCloser struct {
	io.Reader
	io.Closer
}

// limited fails with a fault behind so many bytes.
type limited struct {
	r           io.Reader
	left, limit int64
}

// Read reads what is allowed.
func (l *limited) Read(p []byte) (int, error) {
	if l.r == nil {
		return 0, io.EOF
	}
	if int64(len(p)) > l.left+1 {
		p = p[:l.left+1]
	}
	n, err := l.r.Read(p)
	if int64(n) > l.left {
		n, l.left = int(l.left), 0
		return n, tooLarge(l.limit)
	}
	l.left -= int64(n)
	if err != nil && err != io.EOF {
		err = cutBody(err)
	}
	return n, err
}

// cutBody is the fault of a body that could not be read to its end: never one of this node.
func cutBody(err error) error {
	var f *fault.Error
	switch {
	case errors.As(err, &f):
		return err
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fault.Wrap(fault.Timeout, "The body did not come in time.", err).WithHint("Send it again, or smaller pages over a slow line.")
	}
	return fault.Wrap(fault.Damaged, "The body was cut, or is not what its head says.", err).WithHint("Send it again.")
}

// packed unpacks on the first read, so that a handler that refuses the caller costs nothing.
type packed struct {
	wire  *limited
	kind  string
	out   io.Reader
	close func()
	err   error
}

// Read unpacks a piece.
func (p *packed) Read(b []byte) (int, error) {
	if p.out == nil && p.err == nil {
		p.open()
	}
	if p.err != nil {
		return 0, p.err
	}
	n, err := p.out.Read(b)
	if err != nil && !errors.Is(err, io.EOF) {
		p.err = p.explain(err)
		return n, p.err
	}
	if errors.Is(err, io.EOF) && err != io.EOF { // a wrapped end is none
		p.err = p.explain(err)
		return n, p.err
	}
	return n, err
}

func (p *packed) open() {
	if p.kind == "zstd" {
		d, err := zstd.NewReader(p.wire, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(8<<20), zstd.WithDecoderLowmem(true))
		if err != nil {
			p.err = p.explain(err)
			return
		}
		p.out, p.close = d, d.Close
		return
	}
	z, err := gzip.NewReader(p.wire)
	if err != nil {
		p.err = p.explain(err)
		return
	}
	p.out = z
}

// explain keeps faults and makes anything else a bad body. The digest, where one came along, tells a
// body that was packed wrongly from one that was damaged on the way.
func (p *packed) explain(err error) error {
	var f *fault.Error
	if errors.As(err, &f) {
		return f
	}
	if _, rest := io.Copy(io.Discard, p.wire); errors.As(rest, &f) {
		return f
	}
	return fault.Wrap(fault.Invalid, "The body is not what its Content-Encoding says, or it was cut.", err).At("Content-Encoding")
}

func (p *packed) end() {
	if p.close != nil {
		p.close()
	}
}
