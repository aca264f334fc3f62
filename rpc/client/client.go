package client

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-resty/resty/v2"

	"metermanager/rpc/api"
	"metermanager/rpc/fault"
	"metermanager/rpc/pki"
)

// Client calls one node. It may be used by several goroutines.
type Client struct {
	base string
	cfg  Config
	log  *slog.Logger

	push  *resty.Client // small answers, retried
	query *resty.Client // long answers, retried
	once  *resty.Client // what must not be done twice
	// stream has answers of any length, which are not kept in memory.
	stream *resty.Client

	plain atomic.Bool // the far end refused gzip

	mu    sync.Mutex // guards token; held while a lost one is renewed
	token string
}

// class is how a request is sent.
type class uint8

const (
	classPush  class = iota // key first
	classQuery              // token first, long answers
	classOnce               // token first, never repeated
)

// New makes a client for the node at a URL such as https://cloud.example.net/root. It does
// not connect.
func New(baseURL string, cfg Config) (*Client, error) {
	u, err := url.Parse(baseURL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, fault.New(fault.Invalid, "The address of a node is http:// or https://, a host, and perhaps a path.").At("url")
	}
	cfg = cfg.withDefaults()
	c := &Client{base: strings.TrimRight(u.String(), "/"), cfg: cfg, log: cfg.Logger.With("component", "client"), token: cfg.Token}
	c.plain.Store(cfg.NoCompression)
	if err := c.connect(); err != nil {
		return nil, err
	}
	return c, nil
}

// URL returns the address of the node.
func (c *Client) URL() string { return c.base }

// Close drops idle connections.
func (c *Client) Close() {
	for _, r := range []*resty.Client{c.push, c.query, c.once, c.stream} {
		r.GetClient().CloseIdleConnections()
	}
}

// Token returns the token of the last login, "" without one.
func (c *Client) Token() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.token
}

// call is one request.
type call struct {
	class  class
	method string
	path   string // escaped, below the base
	query  url.Values
	body   []byte // JSON; nil: none
	public bool   // no credential
}

// answer is what came back.
type answer struct {
	status int
	body   []byte
}

// do sends a call. A lost token is renewed once; a far end that does not take gzip gets
// the body plain, and is remembered.
func (c *Client) do(ctx context.Context, q call) (answer, error) {
	out, used, err := c.send(ctx, q)
	switch {
	case errors.Is(err, fault.UnsupportedMedia) && q.body != nil && !c.plain.Load():
		c.plain.Store(true)
		out, _, err = c.send(ctx, q)
	case errors.Is(err, fault.Unauthenticated) && !q.public && used != "" && c.cfg.User != "":
		if err := c.renew(ctx, used); err != nil {
			return answer{}, err
		}
		out, _, err = c.send(ctx, q)
	}
	if err != nil {
		return answer{}, fmt.Errorf("%s %s: %w", q.method, q.path, err)
	}
	return out, nil
}

// send sends a call with the credential of its class and returns the token that it used.
func (c *Client) send(ctx context.Context, q call) (answer, string, error) {
	r := c.client(q.class).R().SetContext(ctx)
	r.SetHeader("Accept", "application/json, "+fault.ContentType)
	token, err := c.sign(ctx, r, q)
	if err != nil {
		return answer{}, "", err
	}
	if q.body != nil {
		body := q.body
		r.SetHeader("Content-Type", "application/json")
		if len(body) >= c.cfg.CompressFrom && !c.plain.Load() {
			if body, err = packed(body); err != nil {
				return answer{}, "", err
			}
			r.SetHeader("Content-Encoding", "gzip")
		}
		r.SetHeader("Content-Digest", digestOf(body))
		r.SetBody(body) // bytes: a reader would be empty at the second try
	}
	r.SetQueryParamsFromValues(q.query)
	res, err := r.Execute(q.method, c.base+q.path)
	if err != nil {
		return answer{}, token, c.unreachable(ctx, err)
	}
	if waiting := res.Header().Get(api.WaitingHeader); waiting != "" && waiting != "0" && c.cfg.OnRequests != nil {
		c.cfg.OnRequests()
	}
	body := res.Body()
	if status := res.StatusCode(); status < 200 || status > 299 {
		return answer{}, token, c.refused(res, body)
	}
	return answer{res.StatusCode(), body}, token, nil
}

func (c *Client) client(k class) *resty.Client {
	switch k {
	case classPush:
		return c.push
	case classQuery:
		return c.query
	}
	return c.once
}

// sign adds a credential: the key to pushes, the token to everything else, the other one
// where that is missing. With a user and no token it logs in first.
func (c *Client) sign(ctx context.Context, r *resty.Request, q call) (token string, err error) {
	if q.public {
		return "", nil
	}
	if q.class == classPush && c.cfg.APIKey != "" {
		r.SetHeader("X-Api-Key", c.cfg.APIKey)
		return "", nil
	}
	token = c.Token()
	if token == "" && c.cfg.User != "" {
		if err := c.renew(ctx, ""); err != nil {
			return "", err
		}
		token = c.Token()
	}
	switch {
	case token != "":
		r.SetHeader("Authorization", "Bearer "+token)
	case c.cfg.APIKey != "":
		r.SetHeader("X-Api-Key", c.cfg.APIKey)
	}
	return token, nil
}

// renew logs in again, unless somebody else has replaced the token that was lost.
func (c *Client) renew(ctx context.Context, lost string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.token != lost {
		return nil
	}
	in, err := c.login(ctx, api.LoginRequest{User: c.cfg.User, Password: c.cfg.Password})
	if err != nil {
		return err
	}
	c.token = in.Token
	return nil
}

// refused makes the fault of an answer that is none of success.
func (c *Client) refused(res *resty.Response, body []byte) error {
	status := res.StatusCode()
	if status >= 300 && status < 400 {
		return fault.Newf(fault.Unavailable, "The other side sends callers elsewhere (HTTP status %d).", status).
			WithHint("Use the address that it names: credentials are not sent along.")
	}
	err := fault.Read(status, res.Header().Get("Content-Type"), body)
	if after := retryAfter(res); after > 0 {
		return later{err, after}
	}
	return err
}

// later is an error with the time after which the other side wants to be asked again.
type later struct {
	error
	after time.Duration
}

// RetryAfter says when.
func (e later) RetryAfter() time.Duration { return e.after }

// Unwrap shows the fault.
func (e later) Unwrap() error { return e.error }

// unreachable makes the fault of a request without an answer. It names the other side, and the cause does not repeat that.
func (c *Client) unreachable(ctx context.Context, err error) error {
	cause := err
	var of *url.Error
	if errors.As(err, &of) {
		cause = of.Err
	}
	var dialed *net.OpError
	if errors.As(err, &dialed) && dialed.Op == "dial" {
		cause = dialed.Err
	}
	var known *fault.Error
	var timeout interface{ Timeout() bool }
	switch {
	case errors.As(err, &known):
		return err
	case errors.Is(err, resty.ErrResponseBodyTooLarge):
		return fault.Wrap(fault.TooLarge, "The answer is larger than this program takes.", err).WithHint("Ask for a shorter range.")
	case errors.Is(context.Cause(ctx), context.Canceled):
		return fault.Wrap(fault.Canceled, "The request was given up.", err)
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return fault.Wrap(fault.Timeout, c.base+" did not answer in time.", cause)
	}
	if fingerprint := pki.Unverified(err); fingerprint != "" {
		return fault.Wrap(fault.Unavailable, "The certificate of "+c.base+" is not one that is trusted here. Nothing was sent.", cause).
			WithHint("Its fingerprint is " + fingerprint + ". If metermanager ca shows the same one at that node, trust it: --fingerprint for a command, cloud.fingerprint for the cloud sync.")
	}
	return fault.Wrap(fault.Unavailable, c.base+" cannot be reached.", cause)
}

// escaped joins the parts of a path below the root of the API.
func escaped(parts ...string) string {
	out := api.Root
	for _, p := range parts {
		out += "/" + url.PathEscape(p)
	}
	return out
}

const (
	get    = http.MethodGet
	post   = http.MethodPost
	put    = http.MethodPut
	remove = http.MethodDelete
)
