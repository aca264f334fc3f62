package api_test

import (
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"metermanager/logdb"
	"metermanager/rpc/api"
)

// checkAccepts compares what is accepted with encoding/json. The scanner may refuse more
// (members that stand twice, bad UTF-8, limits, shapes), never less.
func checkAccepts(t *testing.T, value string) {
	t.Helper()
	body := []byte(`{"channels":[{"chan_key":"a.b"}],"records":[],"x":` + value + `}`)
	up, err := api.ParsePage(logdb.KindHistorical, body, api.ScanLimits{})
	valid := json.Valid(body)
	if err == nil && !valid && up.BareKeys == 0 && !strings.Contains(value, "NaN") {
		t.Errorf("accepted, though it is not JSON: %q", body)
	}
	var refused *api.ScanError
	if valid && errors.As(err, &refused) && refused.Why == api.RefusedSyntax && !strings.ContainsAny(value, "eE") { // 1e999 is valid there
		t.Errorf("refused, though it is JSON: %q: %v", body, err)
	}
	if errors.As(err, &refused) && (refused.Offset < -1 || refused.Offset > len(body)) {
		t.Errorf("offset %d of %d bytes", refused.Offset, len(body))
	}
}

var values = []string{
	`null`, `true`, `1`, `-0`, `-0.0e+1`, `1E5`, `"a\u00e9\ud83d\ude00\/"`, `[]`, `{}`, `[[],{},[{"a":[1,{"b":2}]}]]`, ` [ 1 , 2 ] `, `{"":""}`,
	`{a:1}`, `{a_1$:{b:NaN}}`, `NaN`, `[NaN,null]`, `{NaN:1}`,
	`tru`, `nul`, `truex`, `NaNx`, `[1,]`, `[,1]`, `{"a":1,}`, `{"a"}`, `{"a" 1}`, `{1:2}`, `[1 2]`, `[}`, `{]`, `]`, `"`, `"\x"`, `"\u12"`, `'a'`, `.5`, `1.`, `1e`, `1e+`, `--1`, `00`, `-`, `+1`, "\"\t\"", `1,"y":2`, "\ufeff1", `{{}}`, `[[[`, `{"a":[`,
}

func TestAcceptsWhatJSONIs(t *testing.T) {
	t.Parallel()
	for _, v := range values {
		checkAccepts(t, v)
	}
}

func FuzzAccepts(f *testing.F) {
	for _, v := range values {
		f.Add(v)
	}
	f.Fuzz(checkAccepts)
}

// FuzzParsePage: no body makes the scanner panic, and what it accepts it accepts again.
func FuzzParsePage(f *testing.F) {
	for seed := range uint64(20) {
		page := randomPage(rand.New(rand.NewPCG(seed, 3)))
		f.Add(uint8(page.Kind-1), api.AppendPage(nil, &page, api.DialectNaN))
	}
	for name, kind := range map[string]int{"0433": 0, "0468": 1, "0490": 2, "0503": 3, "0515": 4} {
		for _, ext := range []string{".json", ".bad.json"} {
			body, err := os.ReadFile(filepath.Join("testdata", "printed", name+ext))
			if err != nil {
				f.Fatal(err)
			}
			f.Add(uint8(kind), body)
		}
	}
	f.Fuzz(func(t *testing.T, k uint8, body []byte) {
		kind := logdb.Kinds[int(k)%len(logdb.Kinds)]
		up, err := api.ParsePage(kind, body, api.ScanLimits{Bytes: 1 << 20, Rows: 10_000})
		if err != nil {
			return
		}
		again := api.AppendPage(nil, &up.Page, api.DialectJSON)
		got, err := api.ParsePage(kind, again, api.ScanLimits{})
		if err != nil {
			t.Fatalf("accepted %q, but not what it says: %s: %v", body, again, err)
		}
		if err := samePage(&up.Page, &got.Page); err != nil {
			t.Fatalf("%q: %v", body, err)
		}
	})
}

func checkNumber(t *testing.T, text string) {
	t.Helper()
	body := `{"channels":[{"chan_key":"a.b"}],"records":[[1,` + text + `]]}`
	up, err := api.ParsePage(logdb.KindHistorical, []byte(body), api.ScanLimits{})
	var want float64
	wantErr := json.Unmarshal([]byte(text), &want)
	trimmed := strings.Trim(text, " \t\r\n")
	if trimmed == "null" || trimmed == "NaN" || strings.ContainsAny(text, ",]") {
		return
	}
	if (err == nil) != (wantErr == nil) {
		t.Fatalf("%q: %v, encoding/json says %v", text, err, wantErr)
	}
	if err == nil {
		if got := up.Page.Rows[0].Columns[0][0]; math.Float64bits(got) != math.Float64bits(want) {
			t.Fatalf("%q is %v, want %v", text, got, want)
		}
	}
}

func TestNumbers(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"0", "-0", "0.0", "-0.0", "1", "9007199254740991", "9007199254740992", "9007199254740993", "9007199254740993.0", "123456789012345678", "1234567890123456789012",
		"0.1", "0.30000000000000004", "120.442184", "1e22", "1e23", "1e-7", "5e-324", "2e-324", "1e-999", "1.7976931348623157e308", "1.7976931348623159e308", "1e309",
		"0.0000000000000000000001", "0.00000000000000000000001", "179769313486231570000000000000000000000", "4503599627370496.5", "2.2250738585072011e-308", "18446744073709551615", "18446744073709551616.25",
	} {
		checkNumber(t, text)
		checkNumber(t, "-"+text)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 40_000 {
		var text string
		switch r.IntN(3) {
		case 0:
			text = strconv.FormatFloat(randomValue(r), 'g', 1+r.IntN(20), 64)
		case 1:
			text = strconv.FormatInt(r.Int64N(1e15), 10) + "." + strconv.FormatInt(r.Int64N(1e9), 10)
		default:
			text = string(api.AppendFloat(nil, randomValue(r)))
		}
		if !strings.ContainsAny(text, "NIn") {
			checkNumber(t, strings.ReplaceAll(text, "+", ""))
		}
	}
}

func FuzzNumber(f *testing.F) {
	f.Add("120.442184")
	f.Add("1e-7")
	f.Fuzz(checkNumber)
}

func FuzzAppendString(f *testing.F) {
	f.Add("a\"\\\n\u2028<>&\x00\xff\U0001F600")
	f.Fuzz(func(t *testing.T, s string) {
		var got string
		if err := json.Unmarshal(api.AppendString(nil, s), &got); err != nil || got != strings.ToValidUTF8(s, "") && !strings.Contains(got, "\ufffd") {
			t.Errorf("%q becomes %q, %v", s, got, err)
		}
	})
}

func BenchmarkParsePage(b *testing.B) {
	body := benchmarkBody()
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := api.ParsePage(logdb.KindHistorical, body, api.ScanLimits{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendPage(b *testing.B) {
	body := benchmarkBody()
	up, err := api.ParsePage(logdb.KindHistorical, body, api.ScanLimits{})
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(body)))
	var buf []byte
	for b.Loop() {
		buf = api.AppendPage(buf[:0], &up.Page, api.DialectJSON)
	}
}

// benchmarkBody is a page of 5,000 rows of 16 values with 7 decimals, 2 % absent.
func benchmarkBody() []byte {
	r := rand.New(rand.NewPCG(1, 1))
	h := logdb.History{}
	for c := range 16 {
		h.Channels = append(h.Channels, logdb.ChannelKey("readings.x.c"+strconv.Itoa(c)))
		h.Columns = append(h.Columns, make([]float64, 5000))
	}
	for i := range 5000 {
		h.Times = append(h.Times, logdb.Millis(1493590000000+i*60000))
		for c := range h.Columns {
			h.Columns[c][i] = float64(r.IntN(2e9)) / 1e7
			if r.IntN(50) == 0 {
				h.Columns[c][i] = math.NaN()
			}
		}
	}
	return api.AppendPage(nil, &logdb.Page{Kind: logdb.KindHistorical, Meter: "m", Rows: []logdb.History{h}}, api.DialectJSON)
}
