package webapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"metermanager/rpc/fault"
	"metermanager/rpc/host"
)

// bodyMark begins the text of a bodyError, which huma carries as text only.
const bodyMark = "\x00body\x00"

// bodyError says where a body could not be read. It holds nothing of the body but names of
// members.
type bodyError struct{ field, message string }

// Error packs field and message for problemOf.
func (e bodyError) Error() string { return bodyMark + e.field + "\x00" + e.message }

// decodeJSON reads the small documents of typed routes.
func decodeJSON(body []byte, v any) error {
	if at := tooDeep(body); at >= 0 {
		return bodyError{"", fmt.Sprintf("The body is nested deeper than %d at byte %d", mostNested, at)}
	}
	err := json.Unmarshal(body, v)
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &syntax):
		return bodyError{"", fmt.Sprintf("The body is no JSON: byte %d does not fit there, or the body ends too early", syntax.Offset)}
	case errors.As(err, &kind):
		field := kind.Field
		if field == "" {
			field = memberAt(body, kind.Offset)
		}
		if strings.HasPrefix(kind.Value, "number ") {
			return bodyError{field, fmt.Sprintf("The number at byte %d is too large, or has a fraction where none can be", kind.Offset)}
		}
		return bodyError{field, fmt.Sprintf("At byte %d %s is expected", kind.Offset, nameOfKind(kind.Type))}
	}
	// An error of a type's own decoder: it does not say where.
	field := failingMember(body, v)
	if field == "permissions" {
		return bodyError{field, "Names of permissions are expected, joined by commas"}
	}
	return bodyError{field, "The value is not one that this member takes"}
}

// mostNested is how deep a document may be nested. The deepest one that is taken has five levels.
const mostNested = 32

// tooDeep returns where a text is nested too deep, below 0 when it is not.
func tooDeep(body []byte) int {
	depth, inText := 0, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case inText && c == '\\':
			i++
		case c == '"':
			inText = !inText
		case inText:
		case c == '{' || c == '[':
			if depth++; depth > mostNested {
				return i
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return -1
}

// memberAt returns the path of the member whose value ends at or behind an offset.
func memberAt(body []byte, offset int64) string {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var path []string // per open object its member, "" for arrays
	name := true      // the next text is a name
	var object []bool
	for {
		token, err := d.Token()
		if err != nil {
			return ""
		}
		inObject := len(object) > 0 && object[len(object)-1]
		switch t := token.(type) {
		case json.Delim:
			if t == '{' || t == '[' {
				object, path, name = append(object, t == '{'), append(path, ""), true
				continue
			}
			object, path = object[:len(object)-1], path[:len(path)-1]
		case string:
			if inObject && name {
				path[len(path)-1], name = t, false
				continue
			}
		}
		if d.InputOffset() >= offset-1 { // the offset may lie one behind the value
			return joinPath(path)
		}
		name = true
	}
}

// joinPath joins the names of members as far as they are short enough to be told.
func joinPath(path []string) string {
	var out []string
	for _, p := range path {
		if p != "" && len(p) <= 64 {
			out = append(out, strings.ToValidUTF8(p, "?"))
		}
	}
	return strings.Join(out, ".")
}

// failingMember reads a document member by member and returns the first one that cannot be read.
func failingMember(body []byte, v any) string {
	var members map[string]json.RawMessage
	if json.Unmarshal(body, &members) != nil || reflect.TypeOf(v).Kind() != reflect.Pointer {
		return ""
	}
	worst := ""
	for name, value := range members {
		one, err := json.Marshal(map[string]json.RawMessage{name: value})
		if err != nil {
			continue
		}
		if json.Unmarshal(one, reflect.New(reflect.TypeOf(v).Elem()).Interface()) != nil && (worst == "" || name < worst) {
			worst = name
		}
	}
	return joinPath([]string{worst})
}

func nameOfKind(t reflect.Type) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t.Kind() {
	case reflect.String:
		return "a text"
	case reflect.Bool:
		return "true or false"
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.Slice, reflect.Array:
		return "an array"
	case reflect.Struct, reflect.Map:
		return "an object"
	}
	return "a whole number"
}

// required is how the validation names a member that is not there.
const (
	requiredBegin = "expected required property "
	requiredEnd   = " to be present"
)

// problemOf replaces the problem documents that huma makes itself, which repeat what was sent: a
// mistyped login would come back, and be logged, with its password. Only the fixed sentences of
// the validation and those of decodeJSON are passed on.
func problemOf(ctx huma.Context, _ string, v any) (any, error) {
	m, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	f := fault.New(fault.CodeOfStatus(m.Status), "The request cannot be read as this route expects it.")
	if len(m.Errors) > 0 {
		first := m.Errors[0]
		place := strings.TrimPrefix(first.Location, "body")
		if strings.HasPrefix(first.Message, bodyMark) {
			field, message, _ := strings.Cut(strings.TrimPrefix(first.Message, bodyMark), "\x00")
			f = f.At(field)
			f.Message = message + "."
		} else if name, ok := strings.CutPrefix(first.Message, requiredBegin); ok {
			name = strings.TrimSuffix(name, requiredEnd)
			f = f.At(strings.TrimPrefix(place+"."+name, "."))
			f.Message = "This member is missing."
		} else if m.Status == 415 || strings.HasPrefix(first.Message, huma.ErrUnknownContentType.Error()) {
			f.Message = "The body must be application/json."
		} else if first.Location != "" {
			for _, part := range []string{".", "query.", "path.", "header.", "cookie."} {
				place = strings.TrimPrefix(place, part)
			}
			f = f.At(place)
			f.Message = "The request does not fit: " + first.Message + "."
		}
	} else if m.Status == 400 {
		f.Message = "This route needs a JSON document as its body."
	}
	f = f.WithHint("The OpenAPI document shows what this route takes.").WithRequest(host.RequestID(ctx.Context()))
	p := f.Problem()
	p.Status = m.Status
	return p, nil
}
