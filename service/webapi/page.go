package webapi

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"metermanager/logdb"
)

var (
	//go:embed page/status.html
	statusHTML string
	//go:embed page/logs.js
	logsJS string
	//go:embed page/field.js
	fieldJS string
	//go:embed page/registers.js
	registersJS string
	//go:embed page/status.js
	statusJS string
	//go:embed page/setup.html
	setupHTML string
	//go:embed page/setup.js
	setupJS string
	//go:embed page/form.js
	formJS string
	//go:embed page/join.html
	joinHTML string
	//go:embed page/join.js
	joinJS string
	//go:embed page/reset.html
	resetHTML string
	//go:embed page/reset.js
	resetJS string
	//go:embed page/style.css
	styleCSS string
)

// page is one document with its style and script inside, and the policy that allows these
// two and nothing else.
type page struct {
	body   []byte
	policy string
}

func newPage(html, css, js, names string) page {
	source := func(text string) string {
		sum := sha256.Sum256([]byte(text))
		return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	body := strings.NewReplacer("{{style}}", css, "{{script}}", js, "{{names}}", names).Replace(html)
	return page{body: []byte(body), policy: "default-src 'none'; connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'; " +
		"img-src data:; style-src " + source(css) + "; script-src " + source(js)}
}

func (p page) serve(w http.ResponseWriter) error {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", p.policy)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	_, _ = w.Write(p.body) // a browser that went away needs no answer
	return nil
}

// home serves the status page.
func (a *API) home(w http.ResponseWriter, _ *http.Request, _ caller) error {
	names := map[logdb.ChannelKey]string{}
	for _, c := range logdb.Catalogue() {
		names[c.Key] = c.Name
	}
	list, err := json.Marshal(orderedNames(names))
	if err != nil {
		return fmt.Errorf("encode the names of channels: %w", err)
	}
	return newPage(statusHTML, styleCSS, logsJS+fieldJS+registersJS+statusJS, string(list)).serve(w)
}

// setupPage serves the form of the first start.
func (a *API) setupPage(w http.ResponseWriter, _ *http.Request, _ caller) error {
	return newPage(setupHTML, styleCSS, setupJS, "").serve(w)
}

// orderedNames keeps the catalogue's order, in which people expect channels.
type orderedNames map[logdb.ChannelKey]string

// MarshalJSON writes an object with the names in the order of the catalogue.
func (o orderedNames) MarshalJSON() ([]byte, error) {
	b := []byte{'{'}
	for _, c := range logdb.Catalogue() {
		key, err := json.Marshal(c.Key)
		if err != nil {
			return nil, err
		}
		name, err := json.Marshal(o[c.Key])
		if err != nil {
			return nil, err
		}
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = append(append(append(b, key...), ':'), name...)
	}
	return append(b, '}'), nil
}
