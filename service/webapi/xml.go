package webapi

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"metermanager/rpc/api"
	"metermanager/rpc/fault"
)

// inXML answers questions in XML where Accept prefers it to JSON. The answer is made as always, and translated while it is
// written. The path is the same, and so are rights and limits.
func (a *API) inXML(op api.Operation, next http.HandlerFunc) http.HandlerFunc {
	if op.Method != http.MethodGet || op.ID == api.OpOpenAPI {
		return next
	}
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Vary", "Accept")
		if !prefersXML(r.Header.Values("Accept")) {
			next(w, r)
			return
		}
		r.Header.Set("Accept", "application/json, "+fault.ContentType)
		x := &xmlAnswer{ResponseWriter: w}
		defer func() {
			if err := x.end(recover()); err != nil {
				level := slog.LevelWarn
				if errors.Is(err, errLeft) { // a client that went away is none of our troubles
					level = slog.LevelDebug
				}
				a.log.Log(r.Context(), level, "cut off an answer in XML", "err", err)
				panic(http.ErrAbortHandler) // a cut answer must never look whole
			}
		}()
		next(x, r)
	}
}

// prefersXML reports whether XML is asked for rather than JSON.
func prefersXML(accept []string) bool {
	xml, json := 0.0, 0.0
	for _, line := range accept {
		for part := range strings.SplitSeq(line, ",") {
			media, params, err := mime.ParseMediaType(part)
			if err != nil {
				continue
			}
			q := 1.0
			if text, ok := params["q"]; ok {
				if q, err = strconv.ParseFloat(text, 64); err != nil {
					continue
				}
			}
			switch media {
			case api.XMLType, "text/xml", api.XMLProblemType:
				xml = max(xml, q)
			case "application/json", "text/html", "*/*", "application/*": // a browser names XML too
				json = max(json, q)
			}
		}
	}
	return xml > 0 && xml > json
}

// xmlAnswer translates what a handler writes, if that is JSON.
type xmlAnswer struct {
	http.ResponseWriter
	begun bool
	in    *io.PipeWriter // nil: the answer is passed on as it is
	done  chan error
}

// Unwrap lets http.ResponseController through.
func (x *xmlAnswer) Unwrap() http.ResponseWriter { return x.ResponseWriter }

// WriteHeader looks what comes.
func (x *xmlAnswer) WriteHeader(status int) {
	if x.begun || status < 200 {
		x.ResponseWriter.WriteHeader(status)
		return
	}
	x.begun = true
	h := x.Header()
	media, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	problem := media == fault.ContentType
	if err == nil && (problem || media == "application/json") {
		h.Del("Content-Length")
		h.Set("Content-Type", api.XMLType+"; charset=utf-8")
		if problem {
			h.Set("Content-Type", api.XMLProblemType+"; charset=utf-8")
		}
		x.ResponseWriter.WriteHeader(status)
		x.translate(problem)
		return
	}
	x.ResponseWriter.WriteHeader(status)
}

// translate begins to write XML. From now on only the translation writes to the caller.
func (x *xmlAnswer) translate(problem bool) {
	out, in := io.Pipe()
	x.in, x.done = in, make(chan error, 1)
	go func() {
		err := api.WriteXML(leaving{x.ResponseWriter}, out, problem)
		_ = out.CloseWithError(errors.Join(err, io.ErrClosedPipe)) // whoever still writes must not wait
		x.done <- err
	}()
}

// errLeft marks an answer that nobody waits for any more.
var errLeft = errors.New("the client went away")

// leaving is a writer that tells its own failures from those of what it is given.
type leaving struct{ w io.Writer }

func (l leaving) Write(b []byte) (int, error) {
	n, err := l.w.Write(b)
	if err != nil {
		err = fmt.Errorf("%w: %w", errLeft, err)
	}
	return n, err
}

// Write translates a piece.
func (x *xmlAnswer) Write(b []byte) (int, error) {
	if !x.begun {
		x.WriteHeader(http.StatusOK)
	}
	if x.in == nil {
		return x.ResponseWriter.Write(b)
	}
	return x.in.Write(b)
}

// end waits for the rest. A panic of the handler goes on.
func (x *xmlAnswer) end(panicked any) error {
	if x.in == nil {
		if panicked != nil {
			panic(panicked)
		}
		return nil
	}
	if panicked != nil {
		_ = x.in.CloseWithError(errors.New("the answer was cut off"))
		<-x.done
		panic(panicked)
	}
	_ = x.in.Close()
	return <-x.done
}
