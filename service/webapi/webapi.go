package webapi

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"metermanager/logdb"
	"metermanager/rpc/api"
	"metermanager/rpc/host"
	"metermanager/service/cloud/account"
	"metermanager/service/cloud/correction"
	"metermanager/service/cloud/fetch"
	"metermanager/service/cloud/ingest"
	"metermanager/service/cloud/realtime"
	"metermanager/service/cloud/registry"
	"metermanager/service/cloud/subscription"
	"metermanager/service/command"
	"metermanager/service/metrics"
)

// Parts are what the web API serves. All but Uploads are needed.
type Parts struct {
	Accounts *account.Service
	Meters   *registry.Registry
	Push     *ingest.Service
	Fetch    *fetch.Desk
	Correct  *correction.Service
	Logs     logdb.Store
	Board    *realtime.Board
	Commands *command.Table
	Status   command.StatusSource
	// Uploads is what this node sends to others; nil: nothing.
	Uploads Uploads
	// Licences is what customers pay for; nil: nothing.
	Licences *subscription.Service
	// Audit keeps who did what; nil: nobody.
	Audit AuditLog
	// Backup writes the whole state of the node; nil: it cannot.
	Backup func(ctx context.Context, omitKey bool, w io.Writer) error
}

// Config sets a web API. The zero value works.
type Config struct {
	Version api.VersionAnswer
	// Authority is the certificate of the node's own authority in PEM form; nil: it has none.
	Authority []byte
	// Ready tells what keeps the node from its work, for people; nil: nothing.
	Ready func(ctx context.Context) []string
	// Scan bounds uploads; zero fields take the defaults of rpc/api.
	Scan api.ScanLimits
	// KeyRate is how many requests a second one key or user may make on average, KeyBurst how many at once;
	// 300 and 2,000 by default, a rate below 0 is no limit.
	KeyRate  float64
	KeyBurst int
	// Queries is how many requests that read logs are answered at a time (8 for each processor, at least 16, by default),
	// QueryWait how long others wait for their turn (10 s).
	Queries   int
	QueryWait time.Duration
	// Figures adds metrics to those of the node and of the requests; may be nil.
	Figures func(*metrics.Text)
	// LogLines returns the program's last lines of log; may be nil.
	LogLines func() (lines []string, total int64)
	Now      func() time.Time
	Logger   *slog.Logger
}

// API is the web API as an http.Handler.
type API struct {
	Parts
	cfg     Config
	started logdb.Millis
	log     *slog.Logger
	mux     *http.ServeMux
	huma    huma.API
	cross   *http.CrossOriginProtection
	params  map[string][]string // names of the query parameters of an operation, by its id
	served  map[string]bool     // ids of the operations that have a handler

	rates    *host.Rates[string] // by who asks
	queue    *queue
	requests metrics.Requests
	zones    sync.Map // *time.Location by name
	refusals refusals
}

// New returns the web API. It is an error when an operation of api.Operations has no
// handler here, or the reverse.
func New(parts Parts, cfg Config) (*API, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Version.API == "" {
		cfg.Version.API = api.Root
	}
	if cfg.KeyRate == 0 {
		cfg.KeyRate = 300
	}
	if cfg.KeyBurst == 0 {
		cfg.KeyBurst = 2000
	}
	a := &API{
		Parts: parts, cfg: cfg, started: logdb.MillisOf(cfg.Now()), log: cfg.Logger, mux: http.NewServeMux(),
		cross: http.NewCrossOriginProtection(), served: map[string]bool{},
		rates: host.NewRates[string](cfg.KeyRate, cfg.KeyBurst, cfg.Now), queue: newQueue(cfg.Queries, cfg.QueryWait),
	}
	a.huma = humago.New(guarded{a}, a.humaConfig())
	if err := a.routes(); err != nil {
		return nil, err
	}
	for _, op := range api.Operations() {
		if !a.served[op.ID] {
			return nil, fmt.Errorf("operation %s has no handler", op.ID)
		}
	}
	a.finish()
	a.params = queryParams(a.huma.OpenAPI())
	return a, nil
}

// ServeHTTP serves one request.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if _, pattern := a.mux.Handler(r); pattern == "" {
		a.unknown(w, r)
		return
	}
	a.mux.ServeHTTP(w, r)
}

// humaConfig avoids what huma would add by itself: a docs page with scripts from
// elsewhere, a $schema in every answer, values of the request in problem documents.
func (a *API) humaConfig() huma.Config {
	c := huma.DefaultConfig("Meter Manager", a.cfg.Version.Version)
	c.Info.Description = "Log data of meters: the same protocol at a site's manager and at a cloud. " +
		"Times are milliseconds since 1970 in UTC, values are primary, absent values are null."
	c.OpenAPIPath, c.DocsPath, c.SchemasPath = "", "", ""
	c.CreateHooks = nil
	c.Transformers = []huma.Transformer{problemOf}
	format := huma.Format{Marshal: huma.DefaultJSONFormat.Marshal, Unmarshal: decodeJSON}
	c.Formats = map[string]huma.Format{"application/json": format, "json": format} // and what ends in +json
	c.FieldsOptionalByDefault = true
	c.AllowAdditionalPropertiesByDefault = true
	c.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"token":  {Type: "http", Scheme: "bearer", Description: "From POST /api/v1/login."},
		"key":    {Type: "apiKey", In: "header", Name: keyHeader, Description: "An upload key."},
		"cookie": {Type: "apiKey", In: "cookie", Name: "mm_PORT", Description: "Of a login with cookie: true. Its name ends with the node's port, and begins with __Host- over TLS."},
	}
	encodings(c.Components.Schemas)
	return c
}
