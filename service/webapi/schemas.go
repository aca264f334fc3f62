package webapi

import (
	"reflect"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"metermanager/rpc/api"
	"metermanager/rpc/fault"
	"metermanager/rpc/permission"
)

// The types below stand in the document for those whose encoding reflection cannot see.

type fateList struct{}

// Schema describes api.Fates.
func (fateList) Schema(huma.Registry) *huma.Schema {
	return arrayOf(&huma.Schema{
		Type: huma.TypeArray, Description: `[first, last, fate] with reason or position and times behind it, as in [1, 3, "skipped", "minute", 1780000000000, 1780000020000]`,
		Items: &huma.Schema{AnyOf: []*huma.Schema{{Type: huma.TypeInteger}, {Type: huma.TypeString}}},
	})
}

type nullableNumber struct{}

// Schema describes api.Value.
func (nullableNumber) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeNumber, Nullable: true, Description: "null: absent"}
}

type tallyDigest struct {
	Count int64  `json:"count"`
	Sum   string `json:"sum" doc:"32 hex digits"`
}

// encodings tells the registry of schemas what types look like in documents.
func encodings(r huma.Registry) {
	r.RegisterTypeAlias(reflect.TypeFor[api.Fates](), reflect.TypeFor[fateList]())
	r.RegisterTypeAlias(reflect.TypeFor[api.Value](), reflect.TypeFor[nullableNumber]())
	r.RegisterTypeAlias(reflect.TypeFor[api.Tally](), reflect.TypeFor[tallyDigest]())
}

func arrayOf(items *huma.Schema) *huma.Schema {
	return &huma.Schema{Type: huma.TypeArray, Items: items}
}

func objectOf(required string, properties map[string]*huma.Schema) *huma.Schema {
	return &huma.Schema{Type: huma.TypeObject, Properties: properties, Required: strings.Fields(required), AdditionalProperties: true}
}

// logSchema describes the answers that rpc/api writes itself; nil for other operations.
func logSchema(id string) *huma.Schema {
	text, number := &huma.Schema{Type: huma.TypeString}, &huma.Schema{Type: huma.TypeInteger}
	limits := objectOf("skipped reduced", map[string]*huma.Schema{"skipped": number, "reduced": number, "not_applied": number})
	object, records := objectOf("", nil), arrayOf(arrayOf(&huma.Schema{}))
	raw := objectOf("meter_uid kind pages", map[string]*huma.Schema{"meter_uid": text, "kind": text, "pages": arrayOf(object), "next": text})
	switch id {
	case api.OpHistory:
		channel := objectOf("chan_key", map[string]*huma.Schema{"chan_key": text, "unverified": {
			Type: huma.TypeBoolean, Description: "Its place or scale in the meter was inferred, not documented by the maker: it is not billed",
		}})
		return &huma.Schema{AnyOf: []*huma.Schema{objectOf("meter_uid channels records limit_counts", map[string]*huma.Schema{
			"meter_uid": text, "interval": text, "zone": text, "channels": arrayOf(channel), "records": records, "limit_counts": limits, "corrected": object, "next": text,
		}), objectOf("meter_uid kind limit_counts gaps", map[string]*huma.Schema{"meter_uid": text, "kind": text, "limit_counts": limits, "gaps": arrayOf(object), "next": text}), raw}}
	case api.OpEvents:
		of := func(list string, more map[string]*huma.Schema) *huma.Schema {
			all := map[string]*huma.Schema{"meter_uid": text, "kind": text, "limit_counts": limits, "next": text, "alternatives": arrayOf(text)}
			for name, s := range more {
				all[name] = s
			}
			return objectOf("meter_uid kind limit_counts "+list, all)
		}
		return &huma.Schema{AnyOf: []*huma.Schema{
			of("header records", map[string]*huma.Schema{"header": arrayOf(text), "records": records}),
			of("recordings", map[string]*huma.Schema{"recordings": arrayOf(object)}),
			of("gaps", map[string]*huma.Schema{"gaps": arrayOf(object)}), raw,
		}}
	case api.OpRecording:
		return objectOf("meter_uid stream header trigger sample", map[string]*huma.Schema{"meter_uid": text, "stream": text, "header": object, "trigger": object, "sample": object})
	case api.OpOpenAPI:
		return object
	}
	return nil
}

// credentials are the ways in which a caller can say who they are.
func credentials(op api.Operation) []map[string][]string {
	all := []map[string][]string{{"token": {}}, {"key": {}}, {"cookie": {}}}
	switch {
	case keyInBody[op.ID] && op.Permission == permission.Public:
		return append(all, map[string][]string{}) // or a key in the body, or none to register
	case op.Permission != permission.Public || op.ID == api.OpUser || op.ID == api.OpCommand:
		return all
	case op.ID == api.OpLogout:
		return append(all, map[string][]string{})
	}
	return nil
}

// finish makes the document true where huma describes its own habits: what errors look like, and
// which members always stand in an answer.
func (a *API) finish() {
	doc := a.huma.OpenAPI()
	problem := doc.Components.Schemas.Schema(reflect.TypeFor[fault.Problem](), true, "")
	sent := map[string]bool{}
	for _, item := range doc.Paths {
		for _, op := range []*huma.Operation{item.Get, item.Post, item.Put, item.Delete} {
			if op == nil {
				continue
			}
			for status := range op.Responses {
				if status[0] != '2' {
					delete(op.Responses, status)
				}
			}
			op.Responses["default"] = &huma.Response{Description: "Problem", Content: map[string]*huma.MediaType{fault.ContentType: {Schema: problem}}}
			if ok := op.Responses["200"]; op == item.Get && op.OperationID != api.OpOpenAPI && ok != nil && ok.Content["application/json"] != nil {
				ok.Content[api.XMLType] = &huma.MediaType{} // the same document: docs/xml.md says how
			}
			if op.RequestBody != nil {
				for _, media := range op.RequestBody.Content {
					reached(doc.Components.Schemas, media.Schema, sent)
				}
			}
		}
	}
	all := doc.Components.Schemas.Map()
	delete(all, "ErrorModel")
	delete(all, "ErrorDetail")
	for name, schema := range all {
		if t := doc.Components.Schemas.TypeFromRef(schemaPrefix + name); t != nil && !sent[name] {
			schema.Required = alwaysThere(t, schema)
		}
	}
}

const schemaPrefix = "#/components/schemas/"

// reached notes the schemas that are part of s: what is sent may leave members out.
func reached(r huma.Registry, s *huma.Schema, out map[string]bool) {
	if s == nil {
		return
	}
	if name, ok := strings.CutPrefix(s.Ref, schemaPrefix); ok && !out[name] {
		out[name] = true
		reached(r, r.SchemaFromRef(s.Ref), out)
	}
	reached(r, s.Items, out)
	for _, p := range s.Properties {
		reached(r, p, out)
	}
}

// alwaysThere lists the members of t that its encoding never leaves out.
func alwaysThere(t reflect.Type, schema *huma.Schema) []string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return schema.Required
	}
	var out []string
	for _, f := range reflect.VisibleFields(t) {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" || strings.Contains(options, "omit") || schema.Properties[name] == nil || slices.Contains(out, name) {
			continue
		}
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}
