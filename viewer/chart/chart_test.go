package chart_test

import (
	"bytes"
	"compress/zlib"
	"encoding/json"
	"flag"
	"fmt"
	"image/png"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"metermanager/logdb/pq"
	"metermanager/viewer/chart"
)

var update = flag.Bool("update", false, "write the golden files anew; then look at them")

// day0 is 1 March 2026 in UTC.
const day0 = 1_772_323_200_000

func trend() *chart.Trend {
	t := &chart.Trend{
		Title: "Main incomer", From: day0, To: day0 + 3*86_400_000,
		Marks: []chart.Mark{{At: day0 + 30*3_600_000, Text: "meter replaced"}},
	}
	a := chart.TrendSeries{Name: "Volts A-N", Unit: "V", MaxGap: 120_000}
	b := chart.TrendSeries{Name: "Watts total", Unit: "W", Right: true, MaxGap: 120_000}
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 3 * 1440 {
		if i > 2000 && i < 2300 {
			continue // a gap
		}
		at := float64(day0 + 60_000*i)
		v := 230 + 4*math.Sin(float64(i)/200) + r.Float64()
		if i == 3000 {
			v = 190 // one spike
		}
		a.Times, a.Values = append(a.Times, at), append(a.Values, v)
		b.Times, b.Values = append(b.Times, at), append(b.Values, 40_000+20_000*math.Sin(float64(i)/230))
	}
	t.Series = []chart.TrendSeries{a, b}
	return t
}

// band is a week of means with their lowest and highest, one spike in it, over those of the week before.
func band() *chart.Trend {
	r := rand.New(rand.NewPCG(9, 10))
	now := chart.TrendSeries{Name: "Volts A-N", Unit: "V", MaxGap: 4 * 1_800_000}
	before := chart.TrendSeries{Name: "Volts A-N, a week before", Unit: "V", Like: 1, MaxGap: 4 * 1_800_000}
	for i := range 7 * 48 {
		if i > 200 && i < 220 {
			continue // a gap
		}
		at, mean := float64(day0+1_800_000*i), 230+3*math.Sin(float64(i)/20)+r.Float64()
		now.Times, now.Values, now.Low, now.High = append(now.Times, at), append(now.Values, mean), append(now.Low, mean-1-r.Float64()), append(now.High, mean+1+r.Float64())
		before.Times, before.Values = append(before.Times, at), append(before.Values, 232+3*math.Sin(float64(i)/20))
	}
	now.Low[60], now.High[250] = 180, 262
	return &chart.Trend{Title: "Means", From: day0, To: day0 + 7*86_400_000, Series: []chart.TrendSeries{now, before}}
}

// recording is a sag of phase A.
func recording() *pq.Recording {
	r := &pq.Recording{SampleIntervalSeconds: 1.0 / 7680, NominalHz: 60, NominalVolts: 277}
	for i, name := range []string{"Van", "Vbn", "Vcn", "Ia", "Ib", "Ic"} {
		rms, q := 277.0, pq.Voltage
		if i > 2 {
			rms, q = 120, pq.Current
		}
		s := pq.Signal{Name: name, Quantity: q, Phase: pq.A + pq.Phase(i%3)}
		for n := range 1536 {
			t, f := float64(n)/7680, 1.0
			if i == 0 && t > 0.06 && t < 0.14 {
				f = 0.55
			}
			w := 2*math.Pi*60*t - 2*math.Pi/3*float64(i%3)
			s.Samples = append(s.Samples, f*rms*math.Sqrt2*(math.Sin(w)+0.04*math.Sin(5*w)))
		}
		r.Signals = append(r.Signals, s)
	}
	return r
}

func drawings(t *testing.T) map[string]chart.Drawing {
	t.Helper()
	a, err := pq.Analyse(recording(), pq.Options{})
	if err != nil {
		t.Fatal(err)
	}
	inputs := []chart.DigitalLine{{Name: "Input 1", Samples: make([]byte, 1536)}}
	for i := 500; i < 900; i++ {
		inputs[0].Samples[i] = 1
	}
	wave := chart.NewWave(recording(), a, inputs)
	wave.Title, wave.TriggerMillis = "Sag of phase A", 60
	phasors := chart.NewPhasors(a)
	phasors.Title = "Phasors"
	tolerance := &chart.Tolerance{Title: "ITIC", Curve: pq.ITIC(), Overlays: []pq.Curve{pq.SEMIF47()}}
	timeline := &chart.Timeline{Title: "Events", From: day0, To: day0 + 86_400_000}
	r := rand.New(rand.NewPCG(3, 4))
	for k := range 3 {
		row := chart.TimelineRow{Name: fmt.Sprint("Feeder ", k+1)}
		for range 30 {
			row.Events = append(row.Events, chart.TimelineEvent{
				At: day0 + int64(r.Float64()*86_400_000), Severity: chart.Severity(r.IntN(3)), Waveform: r.IntN(4) == 0, Millis: int64(r.IntN(2)) * 1_800_000,
			})
			tolerance.Events = append(tolerance.Events, chart.TolerancePoint{Seconds: math.Pow(10, -3+5*r.Float64()), Ratio: 1.4 * r.Float64()})
		}
		timeline.Rows = append(timeline.Rows, row)
	}
	tolerance.Events = append(tolerance.Events, chart.TolerancePoint{Seconds: math.NaN(), Ratio: 0.3}, chart.TolerancePoint{Seconds: 0, Ratio: 0.2})
	heat := &chart.Heatmap{Title: "Watts total", Unit: "W"}
	bars := &chart.Bars{Title: "Energy", Unit: "Wh", From: day0, To: day0 + 86_400_000, Names: []string{"received", "delivered"}}
	for d := range 7 {
		day := chart.HeatDay{Date: time.UnixMilli(day0).UTC().AddDate(0, 0, d), Predicted: d == 6}
		for h := range day.Hours {
			day.Hours[h] = 40_000 + 30_000*math.Sin(float64(h)/24*2*math.Pi-2)
			if d == 3 && h < 5 {
				day.Hours[h] = math.NaN()
			}
		}
		heat.Days = append(heat.Days, day)
	}
	for h := range int64(24) {
		bars.Bars = append(bars.Bars, chart.Bar{
			From: day0 + h*3_600_000, To: day0 + (h+1)*3_600_000, Coverage: map[bool]float64{true: 0.5, false: 1}[h == 7],
			Parts: []float64{5000 + 300*float64(h), -200 * float64(h%7)},
		})
	}
	return map[string]chart.Drawing{
		"trend": trend(), "wave": wave, "phasors": phasors, "tolerance": tolerance, "timeline": timeline, "heatmap": heat, "bars": bars,
		"harmonics": &chart.Harmonics{Title: "Harmonics", Names: []string{"Van"}, Ratios: [][]float64{{0.001, 0.03, 0, 0.04}}, Limits: []float64{0.02, 0.05, 0.01, 0.06}},
		"band":      band(),
		"empty":     &chart.Trend{Title: "Nothing", From: day0, To: day0 + 1000},
	}
}

// TestGoldenPictures compares with pictures that were looked at. Rounding of another processor may move a few pixels.
func TestGoldenPictures(t *testing.T) {
	t.Parallel()
	for name, d := range drawings(t) {
		for style, st := range map[string]chart.Style{"light": chart.Light(), "dark": chart.Dark()} {
			if style == "dark" && name != "wave" && name != "tolerance" {
				continue
			}
			t.Run(name+"-"+style, func(t *testing.T) {
				t.Parallel()
				var b bytes.Buffer
				if err := chart.PNG(&b, d, 640, 400, st); err != nil {
					t.Fatal(err)
				}
				compare(t, filepath.Join("testdata", name+"-"+style+".png"), b.Bytes())
			})
		}
	}
}

func compare(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	a, err := png.Decode(bytes.NewReader(got))
	if err != nil {
		t.Fatal(err)
	}
	b, err := png.Decode(bytes.NewReader(want))
	if err != nil {
		t.Fatal(err)
	}
	if a.Bounds() != b.Bounds() {
		t.Fatalf("%v, want %v", a.Bounds(), b.Bounds())
	}
	differ := 0
	for y := range a.Bounds().Dy() {
		for x := range a.Bounds().Dx() {
			r0, g0, b0, _ := a.At(x, y).RGBA()
			r1, g1, b1, _ := b.At(x, y).RGBA()
			if apart(r0, r1)+apart(g0, g1)+apart(b0, b1) > 0x3000 {
				differ++
			}
		}
	}
	if differ > 200 {
		t.Errorf("%d pixels differ from %s", differ, path)
	}
}

func apart(a, b uint32) uint32 { return max(a, b) - min(a, b) }

// TestEveryFormat: SVG and PDF come from the same drawing and hold its words.
func TestEveryFormat(t *testing.T) {
	t.Parallel()
	for name, d := range drawings(t) {
		var svg, pdf bytes.Buffer
		if err := chart.SVG(&svg, d, 800, 500, chart.Light()); err != nil || !strings.Contains(svg.String(), "</svg>") {
			t.Errorf("%s: SVG: %v", name, err)
		}
		if name == "trend" && !strings.Contains(svg.String(), "Volts A-N") {
			t.Error("the SVG of the trend lacks the name of its series")
		}
		if err := chart.PDF(&pdf, d, 800, 500, chart.Print()); err != nil || !bytes.HasPrefix(pdf.Bytes(), []byte("%PDF")) {
			t.Errorf("%s: PDF: %v", name, err)
		}
		for _, size := range [][2]int{{64, 64}, {200, 64}, {64, 900}} { // smaller than anybody needs, and no panic
			if _, _, err := chart.Image(d, size[0], size[1], 1, chart.Light()); err != nil {
				t.Errorf("%s at %v: %v", name, size, err)
			}
		}
		if err := chart.PNG(&pdf, d, 10, 10, chart.Light()); err == nil {
			t.Errorf("%s: a picture of 10 x 10", name)
		}
	}
}

// TestAreasFindValues: what a cursor reads under a pixel is what was drawn there.
func TestAreasFindValues(t *testing.T) {
	t.Parallel()
	_, areas, err := chart.Image(trend(), 1600, 900, 1, chart.Light())
	if err != nil || len(areas) != 1 {
		t.Fatalf("%d areas, %v", len(areas), err)
	}
	a := areas[0]
	if x := a.X(a.Left); x != day0 {
		t.Errorf("the left edge is %g", x)
	}
	if x := a.X((a.Left + a.Right) / 2); math.Abs(x-(day0+1.5*86_400_000)) > 1 {
		t.Errorf("the middle is %g", x)
	}
	if y := a.Y(a.Bottom); math.Abs(y-a.YFrom) > 1e-9 || a.YFrom > 190 {
		t.Errorf("the lower edge is %g, from %g", y, a.YFrom)
	}
	_, areas, err = chart.Image(&chart.Tolerance{Curve: pq.ITIC()}, 1600, 900, 2, chart.Light())
	if err != nil || len(areas) != 1 || math.Abs(areas[0].X(areas[0].Left)-0.001) > 1e-12 || math.Abs(areas[0].X(areas[0].Right)-100) > 1e-9 {
		t.Errorf("%+v, %v", areas, err)
	}
}

// vectors are shared with every other program that draws the same: what goes in, and what must come out.
type vectors struct {
	Time []struct {
		From, To int64
		Zone     string
		Most     int
		Want     []chart.Tick
	}
	Value []struct {
		Low, High float64
		Unit      string
		Most      int
		Scale     chart.Scale
		Want      []chart.Tick
	}
	Reduce []struct {
		X, Values []any // null is NaN
		From, To  float64
		Columns   int
		Gap       float64
		Want      []chart.Column
	}
}

func numbers(list []any) []float64 {
	out := make([]float64, len(list))
	for i, v := range list {
		if f, ok := v.(float64); ok {
			out[i] = f
		} else {
			out[i] = math.NaN()
		}
	}
	return out
}

func TestGoldenVectors(t *testing.T) {
	t.Parallel()
	const path = "testdata/vectors.json"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	same := func(what string, got, want any) {
		t.Helper()
		a, _ := json.Marshal(got)
		b, _ := json.Marshal(want)
		if !bytes.Equal(a, b) && !*update {
			t.Errorf("%s:\n got %s\nwant %s", what, a, b)
		}
	}
	for i := range v.Time {
		c := &v.Time[i]
		zone, err := time.LoadLocation(c.Zone)
		if err != nil {
			t.Fatal(err)
		}
		got := chart.TimeTicks(c.From, c.To, zone, c.Most)
		same(fmt.Sprintf("%s from %d to %d", c.Zone, c.From, c.To), got, c.Want)
		c.Want = got
	}
	for i := range v.Value {
		c := &v.Value[i]
		scale := chart.ScaleFor(c.Unit, c.Low, c.High)
		got := chart.ValueTicks(c.Low, c.High, scale, c.Most)
		same(fmt.Sprintf("%g to %g %s", c.Low, c.High, c.Unit), []any{scale, got}, []any{c.Scale, c.Want})
		c.Scale, c.Want = scale, got
	}
	for i := range v.Reduce {
		c := &v.Reduce[i]
		got := chart.Reduce(numbers(c.X), numbers(c.Values), c.From, c.To, c.Columns, c.Gap)
		same(fmt.Sprintf("reduction %d", i), got, c.Want)
		c.Want = got
	}
	if *update {
		text, err := json.MarshalIndent(v, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, append(text, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestNoSpikeIsLost: whatever the widths, lowest and highest of the columns are those of the values.
func TestNoSpikeIsLost(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(5, 6))
	for range 300 {
		n := 1 + r.IntN(5000)
		xs, values := make([]float64, n), make([]float64, n)
		low, high, known := math.Inf(1), math.Inf(-1), 0
		for i := range xs {
			xs[i], values[i] = float64(i)*1000+r.Float64()*900, r.NormFloat64()
			if r.IntN(20) == 0 {
				values[i] = math.NaN()
			} else {
				low, high, known = min(low, values[i]), max(high, values[i]), known+1
			}
		}
		gotLow, gotHigh, count := math.Inf(1), math.Inf(-1), 0
		for _, c := range chart.Reduce(xs, values, 0, float64(n)*1000, 1+r.IntN(2000), 0) {
			if c.Count > 0 {
				gotLow, gotHigh, count = min(gotLow, c.Min), max(gotHigh, c.Max), count+c.Count
			}
		}
		if gotLow != low || gotHigh != high || count != known {
			t.Fatalf("%d values from %g to %g, want %d from %g to %g", count, gotLow, gotHigh, known, low, high)
		}
	}
}

// TestColumnsOfValues: each value lies in the column that the plain rule names, at the edges of columns too.
func TestColumnsOfValues(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(7, 8))
	for range 200 {
		n, from, to := 1+r.IntN(400), float64(r.IntN(1e6)), float64(0)
		to = from + 1 + float64(r.IntN(1e6))
		xs, want := []float64{}, make([]int, n)
		for k := range 3 * n { // on the edges, and next to them
			at := from + (to-from)*float64(k)/float64(3*n)
			xs = append(xs, at, math.Nextafter(at, to))
		}
		values := make([]float64, len(xs))
		for _, at := range xs {
			want[min(n-1, int((at-from)/(to-from)*float64(n)))]++
		}
		for k, c := range chart.Reduce(xs, values, from, to, n, 0) {
			if c.Count != want[k] {
				t.Fatalf("column %d of %d from %g to %g has %d values, want %d", k, n, from, to, c.Count, want[k])
			}
		}
	}
}

func BenchmarkFrame(b *testing.B) {
	wave := &pq.Recording{SampleIntervalSeconds: 1.0 / 15360, NominalHz: 60}
	for i := range 9 {
		s := pq.Signal{Name: fmt.Sprint("V", i), Quantity: pq.Voltage, Phase: pq.A}
		for n := range 2048 {
			s.Samples = append(s.Samples, 300*math.Sin(2*math.Pi*60*float64(n)/15360+float64(i)))
		}
		wave.Signals = append(wave.Signals, s)
	}
	long := &chart.Trend{From: 0, To: 260_000 * 60_000}
	r := rand.New(rand.NewPCG(1, 1))
	for i := range 8 {
		s := chart.TrendSeries{Name: fmt.Sprint("V", i), Unit: "V"}
		for n := range 260_000 {
			s.Times, s.Values = append(s.Times, float64(n)*60_000), append(s.Values, 230+3*float64(i)+r.NormFloat64())
		}
		long.Series = append(long.Series, s)
	}
	zoomed := *long
	zoomed.From, zoomed.To = 100_000*60_000, 103_000*60_000
	many := &chart.Tolerance{Curve: pq.ITIC()}
	for range 10_000 {
		many.Events = append(many.Events, chart.TolerancePoint{Seconds: math.Pow(10, -3+5*r.Float64()), Ratio: 1.5 * r.Float64()})
	}
	for _, c := range []struct {
		name string
		d    chart.Drawing
	}{{"waveform=9x2048", chart.NewWave(wave, nil, nil)}, {"trend=8x260000", long}, {"trend=8x260000,zoomed", &zoomed}, {"tolerance=10000", many}} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				if _, _, err := chart.Image(c.d, 1600, 900, 1, chart.Light()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// TestPDFLetters: a PDF has its own bytes for letters beyond ASCII; those of Unicode would be read as two or three others.
func TestPDFLetters(t *testing.T) {
	t.Parallel()
	written := func(write func(w io.Writer) error) (all string) {
		var b bytes.Buffer
		if err := write(&b); err != nil {
			t.Fatal(err)
		}
		for _, part := range bytes.Split(b.Bytes(), []byte("stream\n")) {
			r, err := zlib.NewReader(bytes.NewReader(part))
			if err != nil {
				continue
			}
			text, _ := io.ReadAll(r) // what follows the stream is no part of it
			all += string(text)
		}
		return all
	}
	name := "Zähler · 5 − 3 → 2 °C … 主"
	const want = "Z\xe4hler \xb7 5 \x96 3 > 2 \xb0C \x85 ?"
	d := &chart.Trend{Title: name, From: day0, To: day0 + 1000}
	if got := written(func(w io.Writer) error { return chart.PDF(w, d, 800, 500, chart.Print()) }); !strings.Contains(got, want) {
		t.Errorf("a chart as PDF does not say %q", want)
	}
	page := &chart.Page{Title: name, Parts: []chart.Part{{Widths: []float64{1, 1}, Head: []string{"a", "b"}, Rows: []chart.PageRow{{Cells: []string{name, name}}}}}}
	if got := written(func(w io.Writer) error { return chart.PagePDF(w, page, chart.Print()) }); strings.Count(got, want) != 3 {
		t.Errorf("a page as PDF says %q %d times", want, strings.Count(got, want))
	}
}

// TestOtherLetters: a name in letters that the program's typeface has not is written with one of the system, where there is one.
func TestOtherLetters(t *testing.T) {
	t.Parallel()
	picture := func(name string) []byte {
		d := &chart.Timeline{From: day0, To: day0 + 86_400_000, Rows: []chart.TimelineRow{{Name: name}}}
		img, _, err := chart.Image(d, 400, 200, 1, chart.Light())
		if err != nil {
			t.Fatal(err)
		}
		return img.Pix
	}
	if bytes.Equal(picture("Ж"), picture("Ω")) {
		t.Fatal("two letters of the typeface look the same")
	}
	if bytes.Equal(picture("主"), picture("变")) {
		t.Skip("no typeface with Chinese letters is installed: fonts-wqy-microhei is one")
	}
	if bytes.Equal(picture("主"), picture("\uffff")) {
		t.Error("the letter is a box")
	}
}
