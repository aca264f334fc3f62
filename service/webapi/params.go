package webapi

import (
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"metermanager/rpc/api"
	"metermanager/rpc/fault"
)

// pages are the operations for people, whose links may carry anything.
var pages = map[string]bool{api.OpHome: true, api.OpSetupPage: true, api.OpJoinPage: true, api.OpResetPage: true}

// queryParams lists the query parameters of every operation of the document, so that what is
// taken and what is described cannot differ.
func queryParams(doc *huma.OpenAPI) map[string][]string {
	out := map[string][]string{}
	for _, item := range doc.Paths {
		for _, op := range []*huma.Operation{item.Get, item.Post, item.Put, item.Delete} {
			if op == nil {
				continue
			}
			names := []string{}
			for _, p := range op.Parameters {
				if p.In == "query" {
					names = append(names, p.Name)
				}
			}
			out[op.OperationID] = names
		}
	}
	return out
}

// checkQuery refuses parameters that the operation does not have: whoever misspells a filter
// must not get everything and take it for what was asked for.
func (a *API) checkQuery(op api.Operation, query url.Values) error {
	if pages[op.ID] {
		return nil
	}
	known := a.params[op.ID]
	for _, name := range slices.Sorted(maps.Keys(query)) {
		if slices.Contains(known, name) {
			continue
		}
		f := fault.New(fault.Invalid, "There is no such parameter here.")
		if len(name) <= 64 {
			f = f.At(strings.ToValidUTF8(name, "?"))
		}
		if len(known) == 0 {
			return f.WithHint("This route takes no parameters.")
		}
		return f.WithHint("It takes " + strings.Join(known, ", ") + ".")
	}
	return nil
}
