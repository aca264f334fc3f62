package fault

import (
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"strings"
)

// ContentType is the media type of a problem document (RFC 9457).
const ContentType = "application/problem+json"

// typePrefix makes a code the type of a problem; it is a name, not an address.
const typePrefix = "urn:metermanager:fault:"

type row struct {
	status int
	title  string
	retry  bool
}

var table = map[Code]row{
	Invalid:          {http.StatusBadRequest, "The request is not valid", false},
	Damaged:          {http.StatusBadRequest, "Damaged on the way", true},
	Unauthenticated:  {http.StatusUnauthorized, "Log in or send a key", false},
	Forbidden:        {http.StatusForbidden, "Not allowed", false},
	NotFound:         {http.StatusNotFound, "Not found", false},
	MethodNotAllowed: {http.StatusMethodNotAllowed, "That method is not offered here", false},
	NotAcceptable:    {http.StatusNotAcceptable, "The answer has no such form", false},
	Conflict:         {http.StatusConflict, "Contradicts what is stored", false},
	Stale:            {http.StatusPreconditionFailed, "Changed since you looked", false},
	TooLarge:         {http.StatusRequestEntityTooLarge, "Too large", false},
	UnsupportedMedia: {http.StatusUnsupportedMediaType, "That content is not understood", false},
	RateLimited:      {http.StatusTooManyRequests, "Too many requests", true},
	Timeout:          {http.StatusGatewayTimeout, "Took too long", true},
	Unavailable:      {http.StatusServiceUnavailable, "Not available now", true},
	Full:             {http.StatusInsufficientStorage, "The disk is full", true},
	Canceled:         {499, "Given up by the caller", true},
	Internal:         {http.StatusInternalServerError, "Internal error", true},
}

func title(c Code) string {
	if r, ok := table[c]; ok {
		return r.title
	}
	return table[Internal].title
}

// HTTPStatus returns the status in which code travels.
func HTTPStatus(code Code) int {
	if r, ok := table[code]; ok {
		return r.status
	}
	return http.StatusInternalServerError
}

// CodeOfStatus returns the code that comes nearest to an HTTP status that came without a
// problem document, as from a proxy.
func CodeOfStatus(status int) Code {
	switch status {
	case http.StatusBadRequest, http.StatusUnprocessableEntity, http.StatusLengthRequired, http.StatusRequestURITooLong,
		http.StatusRequestHeaderFieldsTooLarge:
		return Invalid
	case http.StatusRequestTimeout, http.StatusGatewayTimeout:
		return Timeout
	case http.StatusTooEarly, http.StatusBadGateway:
		return Unavailable
	case http.StatusProxyAuthRequired:
		return Forbidden
	case http.StatusGone:
		return NotFound
	}
	for c, r := range table {
		if r.status == status {
			return c
		}
	}
	switch {
	case status >= 400 && status < 500:
		return Invalid
	default:
		return Unavailable
	}
}

// Problem is the document of RFC 9457 in which an Error travels.
type Problem struct {
	Type      string `json:"type" doc:"The code as a URN"`
	Title     string `json:"title" doc:"The sort of problem, the same words every time"`
	Status    int    `json:"status" doc:"The HTTP status"`
	Detail    string `json:"detail,omitempty" doc:"What did not work"`
	Code      Code   `json:"code" doc:"The sort of problem for programs"`
	Field     string `json:"field,omitempty" doc:"The member or parameter at fault"`
	Hint      string `json:"hint,omitempty" doc:"What to do next"`
	RequestID string `json:"request_id,omitempty" doc:"Names the request in the log"`
}

// Problem returns the document of e, without its cause.
func (e *Error) Problem() Problem {
	code := e.Code
	if !code.Valid() {
		code = Internal
	}
	return Problem{
		Type: typePrefix + string(code), Title: title(code), Status: HTTPStatus(code),
		Detail: e.Message, Code: code, Field: e.Field, Hint: e.Hint, RequestID: e.RequestID,
	}
}

// MarshalJSON writes the problem document.
func (e *Error) MarshalJSON() ([]byte, error) { return json.Marshal(e.Problem()) }

// Write sends e as a problem document. It is the only writer of errors.
func Write(w http.ResponseWriter, e *Error) error {
	p := e.Problem()
	body, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("encode problem document: %w", err)
	}
	h := w.Header()
	for _, name := range []string{"Content-Length", "Content-Encoding", "ETag", "Last-Modified"} {
		h.Del(name)
	}
	h.Set("Content-Type", ContentType)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(p.Status)
	if _, err := w.Write(append(body, '\n')); err != nil {
		return fmt.Errorf("send problem document: %w", err)
	}
	return nil
}

// Read rebuilds the error of an answer. Whatever is no problem document of ours (a proxy's
// page, say) becomes the code that fits its status; its text is not taken over.
func Read(status int, contentType string, body []byte) *Error {
	media, _, err := mime.ParseMediaType(contentType)
	if err == nil && (media == ContentType || media == "application/json") {
		var p Problem
		if json.Unmarshal(body, &p) == nil && p.Code != "" {
			code := p.Code
			if !code.Valid() { // a newer peer
				code = CodeOfStatus(status)
			}
			return &Error{Code: code, Message: clip(p.Detail), Field: clip(p.Field), Hint: clip(p.Hint), RequestID: clip(p.RequestID)}
		}
	}
	code := CodeOfStatus(status)
	if code == Invalid { // who is no Meter Manager cannot know that the request can never succeed
		code = Unavailable
	}
	return Newf(code, "The other side answered with HTTP status %d.", status)
}

// clip bounds text of a peer.
func clip(s string) string {
	if len(s) > 1000 {
		s = s[:1000]
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}
