package webapi

import (
	"reflect"
	"regexp"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"metermanager/rpc/api"
	"metermanager/rpc/fault"
	"metermanager/rpc/permission"
)

var pathParam = regexp.MustCompile(`\{([a-z_]+)\}`)

// more is what the document says of an operation beside its summary and its permission.
var more = map[string]string{
	api.OpPutSettings: "Changes the members that are sent, in energy_format too; all others keep what is stored. " +
		"An empty text or 0 takes a value back. Make and serial cannot change. With the version that was seen, nothing is changed (412) when somebody " +
		"else has changed them since, or when this request comes once more after later ones.",
	api.OpPostRealtime: "Without time_ms, or with 0, the values are of now. A value that is null or does not stand there is absent.",
}

// describe puts a raw route into the OpenAPI document.
func (a *API) describe(doc *huma.Operation, op api.Operation, out answers) {
	text := &huma.Schema{Type: huma.TypeString}
	for _, m := range pathParam.FindAllStringSubmatch(op.Path, -1) {
		doc.Parameters = append(doc.Parameters, &huma.Param{Name: m[1], In: "path", Required: true, Schema: text})
	}
	for _, p := range out.query {
		doc.Parameters = append(doc.Parameters, &huma.Param{Name: p.name, In: "query", Description: p.help, Schema: text})
	}
	if op.Body != api.BodyNone {
		media := &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeObject}}
		doc.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"application/json": media}}
		if op.Body == api.BodyUpload {
			doc.RequestBody.Description = "A page: channels or header, and records. Absent values are null or NaN; gzip is taken."
		}
	}
	media := &huma.MediaType{}
	if out.media == "" {
		out.media = "application/json"
	}
	if out.body != nil {
		media.Schema = a.huma.OpenAPI().Components.Schemas.Schema(out.body, true, "")
	}
	if s := logSchema(op.ID); s != nil {
		media.Schema = s
	}
	problem := a.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[fault.Problem](), true, "")
	doc.Responses = map[string]*huma.Response{
		"200":     {Description: "OK", Content: map[string]*huma.MediaType{out.media: media}},
		"default": {Description: "Problem", Content: map[string]*huma.MediaType{fault.ContentType: {Schema: problem}}},
	}
	if op.Permission == permission.Public && op.Body == api.BodyUpload {
		doc.Description = "Needs a key with the permission upload, in a header or as apikey in the body."
	}
	doc.Path = strings.ReplaceAll(doc.Path, "{$}", "")
	a.huma.OpenAPI().AddOperation(doc)
}
