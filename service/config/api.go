package config

import (
	"fmt"
	"strconv"
	"strings"
)

// API bounds what the web API takes from its callers. 0 is the default of each; rates below 0 are no limit.
type API struct {
	// Rate is how many requests a second one address may make on average, Burst how many at once.
	Rate  int64 `json:"api_rate"`
	Burst int64 `json:"api_burst"`
	// KeyRate and KeyBurst are the same for one key or user, wherever they call from.
	KeyRate  int64 `json:"api_key_rate"`
	KeyBurst int64 `json:"api_key_burst"`
	// Requests bounds how many requests are answered at a time, Queries how many of them read logs; more of these
	// wait for their turn, QueryWaitS seconds at most.
	Requests   int64 `json:"api_requests"`
	Queries    int64 `json:"api_queries"`
	QueryWaitS int64 `json:"api_query_wait_s"`
	// WireMB bounds a body as it comes in, BodyMB when it is unpacked.
	WireMB int64 `json:"api_wire_mb"`
	BodyMB int64 `json:"api_body_mb"`
	// ReadTimeoutS and WriteTimeoutS bound how long a caller may take for each piece of a request or an answer.
	ReadTimeoutS  int64 `json:"api_read_timeout_s"`
	WriteTimeoutS int64 `json:"api_write_timeout_s"`
}

// defaultAPI disturbs nobody who does his work: a thousand sites fit in it.
var defaultAPI = API{
	Rate: 500, Burst: 1000, KeyRate: 300, KeyBurst: 2000, Requests: 4000, QueryWaitS: 10, WireMB: 32, BodyMB: 64, ReadTimeoutS: 30, WriteTimeoutS: 60,
}

// apiBound is one number of API with its rules.
type apiBound struct {
	key         string
	value       *int64
	least, most int64
}

func (a *API) bounds() []apiBound {
	return []apiBound{
		{"api_rate", &a.Rate, -1, 1e6}, {"api_burst", &a.Burst, 0, 1e6}, {"api_key_rate", &a.KeyRate, -1, 1e6}, {"api_key_burst", &a.KeyBurst, 0, 1e6},
		{"api_requests", &a.Requests, 0, 1e6}, {"api_queries", &a.Queries, 0, 1e5}, {"api_query_wait_s", &a.QueryWaitS, 0, 600},
		{"api_wire_mb", &a.WireMB, 0, 1024}, {"api_body_mb", &a.BodyMB, 0, 4096},
		{"api_read_timeout_s", &a.ReadTimeoutS, 0, 3600}, {"api_write_timeout_s", &a.WriteTimeoutS, 0, 3600},
	}
}

// checkAPI reports a bound that makes no sense.
func (a *API) checkAPI() error {
	for _, b := range a.bounds() {
		if *b.value < b.least || *b.value > b.most {
			return fmt.Errorf("%w: %s: %d, want %d to %d", ErrInvalid, b.key, *b.value, b.least, b.most)
		}
	}
	return nil
}

// apiVariables are the environment variables of API: the keys in capitals.
func apiVariables() map[string]func(c *Config, value string) error {
	out := map[string]func(c *Config, value string) error{}
	for i, b := range new(API).bounds() {
		name := "MM_" + strings.ToUpper(b.key)
		out[name] = func(c *Config, v string) error {
			n, err := strconv.ParseInt(v, 10, 64)
			if err != nil {
				return fmt.Errorf("%w: %s: %q, want a number", ErrInvalid, name, v)
			}
			*c.bounds()[i].value = n
			return nil
		}
	}
	return out
}
