package api_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"metermanager/rpc/api"
)

func toXML(t testing.TB, document string) string {
	t.Helper()
	var b bytes.Buffer
	if err := api.WriteXML(&b, strings.NewReader(document), false); err != nil {
		t.Fatalf("%.200s: %v", document, err)
	}
	return b.String()
}

func TestXMLIsAsWritten(t *testing.T) {
	t.Parallel()
	const head = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n" + `<answer xmlns="urn:metermanager:answer"`
	for _, c := range []struct{ document, want string }{
		{`{"meter_uid":"a","values":[1,null,2.50],"ok":true}`, `><meter_uid>a</meter_uid><values><item>1</item><item nil="true"></item><item>2.50</item></values><ok>true</ok></answer>`},
		{`{}`, ` type="object"></answer>`},
		{`{"records":[]}`, `><records type="array"></records></answer>`},
		{`{"records":[[1,2],[]]}`, `><records><item><item>1</item><item>2</item></item><item type="array"></item></records></answer>`},
		{`{"etheria.client~host":"h","1st":1,"":2,"xmlns":3,"member":4,"readings.voltage.an":5}`,
			`><member name="etheria.client~host">h</member><member name="1st">1</member><member name="">2</member><member name="xmlns">3</member><member name="member">4</member><readings.voltage.an>5</readings.voltage.an></answer>`},
		{`{"a":"<b> & \"c\" ]]> \u0000 \u000b \r\n\t \ud83d\ude00 é"}`, "><a>&lt;b&gt; &amp; \"c\" ]]&gt; \uFFFD \uFFFD &#xD;\n\t \U0001F600 é</a></answer>"},
		{`{"a\"<&\n":1}`, `><member name="a&quot;&lt;&amp;&#xA;">1</member></answer>`},
		{`[12345678901234567890.000000000001e-300]`, `><item>12345678901234567890.000000000001e-300</item></answer>`},
		{`"text"`, `>text</answer>`},
	} {
		if got := toXML(t, c.document); got != head+c.want+"\n" {
			t.Errorf("%s\n got %s\nwant %s", c.document, got, head+c.want)
		}
	}
	for _, bad := range []string{``, `{`, `{"a":1`, `[1,`, `{"a" 1}`, `{} {}`, `nul`} {
		if err := api.WriteXML(io.Discard, strings.NewReader(bad), false); err == nil {
			t.Errorf("%q is written as if it were whole", bad)
		}
	}
}

// node is an element as a reader of XML sees it.
type node struct {
	XMLName  xml.Name
	Name     string `xml:"name,attr"`
	Nil      bool   `xml:"nil,attr"`
	Type     string `xml:"type,attr"`
	Text     string `xml:",chardata"`
	Children []node `xml:",any"`
}

// differs compares an element with the value of JSON that it stands for and says where they differ.
func differs(n node, v any, at string) string {
	leaf := func(want string) string {
		if n.Nil || len(n.Children) > 0 || n.Text != want {
			return fmt.Sprintf("%s: %q, want %q", at, n.Text, want)
		}
		return ""
	}
	switch v := v.(type) {
	case nil:
		if !n.Nil || n.Text != "" {
			return at + ": not nil"
		}
	case bool:
		return leaf(fmt.Sprint(v))
	case json.Number:
		return leaf(v.String())
	case string:
		return leaf(valid(v))
	case []any:
		if len(n.Children) != len(v) || len(v) == 0 && n.Type != "array" {
			return fmt.Sprintf("%s: %d elements of type %q, want %d", at, len(n.Children), n.Type, len(v))
		}
		for i := range v {
			if n.Children[i].XMLName.Local != api.XMLItem {
				return at + ": an element of an array is called " + n.Children[i].XMLName.Local
			}
			if d := differs(n.Children[i], v[i], fmt.Sprint(at, "[", i, "]")); d != "" {
				return d
			}
		}
	case map[string]any:
		if len(n.Children) != len(v) || len(v) == 0 && n.Type != "object" {
			return fmt.Sprintf("%s: %d members of type %q, want %d", at, len(n.Children), n.Type, len(v))
		}
		names := map[string]any{}
		for name, one := range v {
			names[valid(name)] = one
		}
		for _, child := range n.Children {
			name := child.XMLName.Local
			if name == api.XMLMember {
				name = child.Name
			}
			one, ok := names[name]
			if !ok {
				return at + ": a member " + name
			}
			if d := differs(child, one, at+"."+name); d != "" {
				return d
			}
		}
	}
	return ""
}

// valid is a text as XML 1.0 can hold it.
func valid(s string) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' && c != '\t' && c != '\n' && c != '\r' || c == 0xFFFE || c == 0xFFFF {
			return utf8.RuneError
		}
		return c
	}, s)
}

func FuzzXML(f *testing.F) {
	for _, seed := range []string{`{"a":[1,null,"x<&>\r",{"b~":true,"":[]}]}`, `"\ud800\uffff"`, `[[[]],{}]`, `{"name":{"nil":"true"}}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, document string) {
		var b bytes.Buffer
		err := api.WriteXML(&b, strings.NewReader(document), false)
		d := json.NewDecoder(strings.NewReader(document))
		d.UseNumber()
		var want any
		if bad := errors.Join(d.Decode(&want), func() error { _, err := d.Token(); return boolError(err != io.EOF) }()); bad != nil {
			if err == nil {
				t.Errorf("%q is no document and was written", document)
			}
			return
		}
		if err != nil {
			if strings.Contains(err.Error(), "nested") {
				return
			}
			t.Fatalf("%q: %v", document, err)
		}
		if hasTwins(document) {
			return // the second member of a name wins in JSON; here both stand
		}
		var got node
		if err := xml.Unmarshal(b.Bytes(), &got); err != nil {
			t.Fatalf("%q\n%s\n%v", document, b.Bytes(), err)
		}
		if d := differs(got, want, "answer"); d != "" {
			t.Errorf("%q\n%s\n%s", document, b.Bytes(), d)
		}
	})
}

func boolError(bad bool) error {
	if bad {
		return errors.New("something follows")
	}
	return nil
}

// hasTwins reports whether an object has two members of one name, as XML can hold it.
func hasTwins(document string) bool {
	d := json.NewDecoder(strings.NewReader(document))
	type level struct {
		object bool
		name   bool
		seen   map[string]bool
	}
	var stack []level
	for {
		token, err := d.Token()
		if err != nil {
			return false
		}
		top := len(stack) - 1
		if s, ok := token.(string); ok && top >= 0 && stack[top].object && stack[top].name {
			if stack[top].seen[valid(s)] {
				return true
			}
			stack[top].seen[valid(s)], stack[top].name = true, false
			continue
		}
		if c, ok := token.(json.Delim); ok && (c == '{' || c == '[') {
			stack = append(stack, level{c == '{', true, map[string]bool{}})
			continue
		} else if ok {
			stack, top = stack[:top], top-1
		}
		if top >= 0 {
			stack[top].name = true
		}
	}
}

// TestXMLOfAnotherReader: libxml2 takes what is written.
func TestXMLOfAnotherReader(t *testing.T) {
	t.Parallel()
	tool, err := exec.LookPath("xmllint")
	if err != nil {
		t.Skip("xmllint is not installed")
	}
	file := filepath.Join(t.TempDir(), "answer.xml")
	text := toXML(t, `{"a":"\u0001 <&> \r \u2028 \ud83d\ude00","b~c":{"d":[null,1e300,[],{}]},"readings.voltage.an":[]}`)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(tool, "--noout", "--pedantic", file).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("%v: %s\n%s", err, out, text)
	}
}

func BenchmarkXML(b *testing.B) {
	document := `{"channels":[{"chan_key":"readings.voltage.an"}],"records":[` + strings.Repeat(`[1772319600000,120.25,null],`, 50_000) + `[1,2,3]]}`
	b.SetBytes(int64(len(document)))
	for b.Loop() {
		if err := api.WriteXML(io.Discard, strings.NewReader(document), false); err != nil {
			b.Fatal(err)
		}
	}
}
