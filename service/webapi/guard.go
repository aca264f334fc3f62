package webapi

import (
	"context"
	"net"
	"net/http"
	"strings"

	"metermanager/rpc/api"
	"metermanager/rpc/fault"
	"metermanager/rpc/host"
	"metermanager/rpc/permission"
	"metermanager/service/cloud/account"
)

// keyHeader carries a key; the Authorization header carries either.
const keyHeader = "X-Api-Key"

// request is what handlers need to know of how a request came.
type request struct {
	address string // of the peer, or its IPv6 network
	token   string // session token, "" for keys
	cookie  string // name of the session cookie at this address
	secure  bool   // came over TLS
	cookies []http.Cookie
	waiting string // how many requests wait for the manager that asks; "": none
}

type callerKey struct{}

// callerOf returns who the guard found. Handlers get it as a parameter; the context only
// carries it through huma.
func callerOf(ctx context.Context) caller {
	c, ok := ctx.Value(callerKey{}).(caller)
	if !ok {
		return caller{request: &request{}}
	}
	return c
}

// anonymous are the public operations that take no notice of credentials. The other public
// ones look at who asks: what they answer depends on it.
var anonymous = map[string]bool{
	api.OpLive: true, api.OpReady: true, api.OpVersion: true, api.OpHome: true, api.OpOpenAPI: true, api.OpAuthority: true,
	api.OpSetupPage: true, api.OpSetup: true, api.OpLogin: true,
	api.OpJoinPage: true, api.OpResetPage: true, api.OpForgot: true, api.OpReset: true, api.OpInvitation: true,
}

// fromPages are the public operations that another site's page must not make a browser send.
var fromPages = map[string]bool{
	api.OpLogin: true, api.OpSetup: true, api.OpLogout: true, api.OpRegisterAccount: true, api.OpForgot: true, api.OpReset: true, api.OpInvitation: true,
}

// keyInBody are the operations whose body may hold the key.
var keyInBody = map[string]bool{api.OpUpload: true, api.OpPush: true, api.OpRegister: true}

// guard finds out who asks, and lets through who may ask this at all. Which meter they may
// ask about is decided where the meter is looked up.
func (a *API) guard(op api.Operation, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c, err := a.identify(op, r)
		who(r.Context(), c.Principal)
		if err == nil && op.Permission != permission.Public && (c.Known() || !keyInBody[op.ID]) {
			err = account.Allow(c.Principal, op.Permission, account.Resource{})
		}
		if err == nil {
			err = a.checkQuery(op, r.URL.Query())
		}
		if err != nil {
			if op.Body == api.BodyUpload && c.Known() {
				drain(r.Body)
			}
			a.writeError(w, r, err)
			return
		}
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-store")
		r.Body = http.MaxBytesReader(w, r.Body, maxBody(op))
		next(w, r.WithContext(context.WithValue(r.Context(), callerKey{}, c)))
	}
}

// identify returns who sent r. A credential that is not known is an error, even where none
// is needed: its sender must not think that it acted under it.
func (a *API) identify(op api.Operation, r *http.Request) (caller, error) {
	req := &request{address: host.CountedAddress(r.RemoteAddr), secure: r.TLS != nil}
	req.cookie = cookieName(r)
	c := caller{request: req}
	secret, fromCookie := credential(r, req.cookie)
	// Browsers send cookies by themselves, also when another site's page makes them.
	if fromCookie || fromPages[op.ID] {
		if err := a.cross.Check(r); err != nil {
			return c, fault.Wrap(fault.Forbidden, "A page of another site may not do this.", err)
		}
	}
	if secret == "" || anonymous[op.ID] {
		return c, nil
	}
	p, err := a.authenticate(r.Context(), secret)
	c.Principal = p // of one who asks too often too
	if err != nil {
		return c, err
	}
	if p.User != "" {
		req.token = secret
	}
	return c, nil
}

// credential returns the secret of a request. A header wins over the cookie.
func credential(r *http.Request, cookie string) (secret string, fromCookie bool) {
	if key := r.Header.Get(keyHeader); key != "" {
		return key, false
	}
	if auth := r.Header.Get("Authorization"); auth != "" {
		scheme, rest, _ := strings.Cut(auth, " ")
		if !strings.EqualFold(scheme, "Bearer") || rest == "" {
			return "unsupported scheme", false // known to nobody
		}
		return strings.TrimSpace(rest), false
	}
	if c, err := r.Cookie(cookie); err == nil {
		return c.Value, true
	}
	return "", false
}

// cookieName is the session cookie's name. Cookies do not tell ports apart, and several
// nodes may run on one machine, so the name does.
func cookieName(r *http.Request) string {
	_, port, err := net.SplitHostPort(r.Host)
	if err != nil {
		port = "0"
	}
	if r.TLS != nil {
		return "__Host-mm_" + port
	}
	return "mm_" + port
}

// sessionCookie holds a token, or with age below 0 takes it away.
func (q *request) sessionCookie(token string, age int) http.Cookie {
	return http.Cookie{
		Name: q.cookie, Value: token, Path: "/", MaxAge: age, HttpOnly: true, Secure: q.secure, SameSite: http.SameSiteLaxMode,
	}
}

// Limits of bodies in bytes, as they come over the wire and unpacked.
const (
	maxJSONBody   = 256 << 10
	maxUploadBody = 64 << 20
	// maxKeylessBody bounds an upload whose key stands inside: it is read before anybody
	// is known.
	maxKeylessBody = 8 << 20
)

func maxBody(op api.Operation) int64 {
	switch op.Body {
	case api.BodyUpload:
		return maxUploadBody
	case api.BodyJSON:
		return maxJSONBody
	}
	return 64 << 10
}
