package webapi_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"metermanager/rpc/api"
)

// document is the OpenAPI document as a client reads it.
type document map[string]any

func (d document) at(path ...string) any {
	var v any = map[string]any(d)
	for _, p := range path {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[p]
	}
	return v
}

// misfit returns where a value breaks a schema, "" when it does not: types, required members and
// members that are not described.
func (d document) misfit(where string, v, schema any) string {
	s, ok := schema.(map[string]any)
	if !ok {
		return where + " has no schema"
	}
	if ref, ok := s["$ref"].(string); ok {
		return d.misfit(where, v, d.at("components", "schemas", strings.TrimPrefix(ref, "#/components/schemas/")))
	}
	if any, ok := s["anyOf"].([]any); ok {
		var all []string
		for _, one := range any {
			m := d.misfit(where, v, one)
			if m == "" {
				return ""
			}
			all = append(all, m)
		}
		return strings.Join(all, " and ")
	}
	var types []string
	switch t := s["type"].(type) {
	case string:
		types = []string{t}
	case []any:
		for _, one := range t {
			types = append(types, one.(string))
		}
	default:
		return ""
	}
	is := fmt.Sprintf("%T", v)
	switch v := v.(type) {
	case nil:
		is = "null"
	case bool:
		is = "boolean"
	case string:
		is = "string"
	case float64:
		if is = "number"; v == float64(int64(v)) && slices.Contains(types, "integer") {
			is = "integer"
		}
	case []any:
		is = "array"
		for i, one := range v {
			if m := d.misfit(fmt.Sprintf("%s[%d]", where, i), one, s["items"]); m != "" {
				return m
			}
		}
	case map[string]any:
		is = "object"
		required, _ := s["required"].([]any)
		for _, name := range required {
			if _, ok := v[name.(string)]; !ok {
				return fmt.Sprintf("%s.%s is missing", where, name)
			}
		}
		properties, _ := s["properties"].(map[string]any)
		for name, one := range v {
			if p, ok := properties[name]; ok {
				if m := d.misfit(where+"."+name, one, p); m != "" {
					return m
				}
			} else if len(properties) > 0 && s["additionalProperties"] == nil {
				return where + "." + name + " is not described"
			}
		}
	}
	if !slices.Contains(types, is) {
		return fmt.Sprintf("%s is %s, described as %v", where, is, types)
	}
	return ""
}

// TestAnswersFitTheDocument compares a live answer of every operation, and a refusal, with what
// the document says of it.
func TestAnswersFitTheDocument(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	var doc document
	must(t, json.Unmarshal([]byte(s.call("", "GET", api.Root+"/openapi.json", "").body), &doc))
	s.ok(s.upload, "POST", s.meterPath("/logs/historical"), positionedPage())
	s.ok(s.upload, "POST", s.meterPath("/logs/system"), `{"header":["time","event_type","description"],"records":[[1772319600000,1,"off"]]}`)
	s.ok(s.admin, "POST", s.meterPath("/realtime"), `{"values":[{"chan_key":"readings.voltage.an","value":6}]}`)
	calls := samples(s.ours)
	calls[api.OpDigests] = sample{path: s.meterPath("/digests/historical?stream=" + testStream)}
	calls[api.OpEvents] = sample{path: s.meterPath("/logs/system")}
	ops := api.Operations()
	slices.SortStableFunc(ops, func(a, b api.Operation) int { // what takes things away comes last
		last := func(o api.Operation) int { return strings.Count(o.Method, "DELETE") }
		return last(a) - last(b)
	})
	for _, op := range ops {
		path := calls[op.ID].path
		if path == "" {
			path = op.Path
		}
		described := doc.at("paths", strings.ReplaceAll(op.Path, "{$}", ""), strings.ToLower(op.Method), "responses")
		r := s.call(s.admin, op.Method, path, calls[op.ID].body)
		responses := document(described.(map[string]any))
		if strings.HasPrefix(r.header.Get("Content-Type"), "text/") || op.ID == api.OpAuthority {
			continue
		}
		status, media := "200", "application/json"
		if r.status != 200 {
			status, media = "default", "application/problem+json"
		}
		var got any
		must(t, json.Unmarshal([]byte(r.body), &got))
		if m := doc.misfit(op.ID, got, responses.at(status, "content", media, "schema")); m != "" {
			t.Errorf("status %d: %s: %.300s", r.status, m, r.body)
		}
		refusal := s.call(s.admin, op.Method, path+"?bogus=1&bogus=2", "").body
		must(t, json.Unmarshal([]byte(refusal), &got))
		if m := doc.misfit(op.ID+" refused", got, responses.at("default", "content", "application/problem+json", "schema")); m != "" {
			t.Errorf("%s: %.300s", m, refusal)
		}
	}
	for _, name := range []string{"ErrorModel", "ErrorDetail"} {
		if doc.at("components", "schemas", name) != nil {
			t.Errorf("%s is described, and never sent", name)
		}
	}
	for path, want := range map[string]int{api.Root + "/meters/register": 4, api.Root + "/rpc/{command}": 3, api.Root + "/push/{kind}": 4} {
		if got, _ := doc.at("paths", path, "post", "security").([]any); len(got) != want {
			t.Errorf("%s: security %v", path, got)
		}
	}
}
