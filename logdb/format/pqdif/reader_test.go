package pqdif_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"metermanager/logdb/format/pqdif"
)

// sharedFile returns a file of the developers' collection, which clones lack; the test is skipped then. None of them is shipped: most state no
// licence, and the example carries the copyright of a company that is not who offers it under one.
func sharedFile(t testing.TB, name string) []byte {
	t.Helper()
	b := findShared(t, name)
	if b == nil {
		t.Skipf("%s is not shipped for want of a licence; MM_SHARED_DATA names no collection that has it", name)
	}
	return b
}

// findShared is sharedFile that returns nil where there is no such file.
func findShared(t testing.TB, name string) []byte {
	t.Helper()
	dir := os.Getenv("MM_SHARED_DATA")
	if dir == "" {
		return nil
	}
	for _, folder := range []string{"", "no-licence"} {
		b, err := os.ReadFile(filepath.Join(dir, "pqdif", folder, name))
		if err == nil {
			return b
		}
		if !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
	}
	return nil
}

func example(t testing.TB) []byte {
	t.Helper()
	return sharedFile(t, "ieee_example.pqd")
}

// readAll reads every observation of a file.
func readAll(t testing.TB, b []byte) (*pqdif.Reader, []*pqdif.Observation) {
	t.Helper()
	r, err := pqdif.NewReader(bytes.NewReader(b), int64(len(b)), pqdif.Config{})
	if err != nil {
		t.Fatal(err)
	}
	var all []*pqdif.Observation
	for {
		o, err := r.Next()
		if err == io.EOF {
			return r, all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, o)
	}
}

// fact is what was found in a series by another reader.
type fact struct {
	observation, channel, value string
	points                      int
	firsts                      []float64
	step, last                  float64 // seconds; 0 is not stated
	min, max, mean              float64 // 0 is not stated
}

func TestFacts(t *testing.T) {
	t.Parallel()
	trend := func(name string, points int, last, first, lowest, highest, mean float64) fact {
		return fact{"Basic Trend", name, "avg", points, []float64{first}, 0, last, lowest, highest, mean}
	}
	wave := func(name string, lowest, highest float64, firsts ...float64) fact {
		return fact{"Waveform Change", name, "val", 4096, firsts, 7.8125e-05, 0, lowest, highest, 0}
	}
	tests := []struct {
		file           string
		records        int
		name, created  string
		source         string
		channels, seen int
		counts         map[string]int
		facts          []fact
	}{
		{"ieee_example.pqd", 50, `D:\PQDIF\Native15\PQDIFr\example.pqd`, "1999-07-16 21:27:05", "PQDIF Convert", 37, 47,
			map[string]int{"Steady-state trend": 27, "Obs": 15, "RMS Variation": 5}, []fact{
				{"Steady-state trend", "SS RMS VAB", "min", 96, []float64{34502, 34548, 34370.5}, 900, 0, 32134, 34709.1, 0},
				{"Steady-state trend", "SS RMS VBC", "min", 96, []float64{34740.6, 34775.9, 34625.8}, 900, 0, 29544.2, 34957, 0},
				{"Steady-state trend", "SS RMS VCA", "min", 96, []float64{34738.9, 34785.1, 34626.7}, 900, 0, 32437.7, 34989.8, 0},
				{"Steady-state trend", "SS RMS IA", "min", 96, []float64{599.201, 605.757, 615.472}, 900, 0, 378.993, 671.905, 0},
				{"Steady-state trend", "SS RMS IB", "min", 96, []float64{631.922, 632.85, 649.147}, 900, 0, 400.308, 707.012, 0},
				{"Steady-state trend", "SS RMS IC", "min", 96, []float64{613.922, 615.345, 628.819}, 900, 0, 391.363, 693.722, 0},
				{"Obs", "Waveform VAB", "val", 1536, []float64{-20589.7, -16725.7, -25250.1}, 6.51042e-05, 0, -49565.9, 50672.9, 0},
				{"Obs", "Waveform VBC", "val", 1536, []float64{25788.7, 31108.8, 32426.9}, 6.51042e-05, 0, -50563.6, 56614.4, 0},
				{"Obs", "Waveform VCA", "val", 1536, []float64{-5070.93, -15380, -2837.85}, 6.51042e-05, 0, -49876.4, 50004.5, 0},
				{"Obs", "Waveform IA", "val", 768, []float64{-150.144, -177.586, -151.968}, 0.000130208, 0, -886.219, 911.837, 0},
				{"Obs", "Waveform IB", "val", 768, []float64{878.878, 1140.73, 1283.55}, 0.000130208, 0, -944.783, 1415.36, 0},
				{"Obs", "Waveform IC", "val", 768, []float64{-701.293, -985.096, -1116.92}, 0.000130208, 0, -1168.21, 985.096, 0},
			}},
		{"satec_22kv_event_a.pqd", 4, `D:\Satec\Events\Efunity\TAMPINES NT 22kV DE_23-02-07 23-17-28-308.pqd`, "2023-02-07 23:17:28.308", "TAMPINES NT 22kV DE", 8, 1,
			map[string]int{"Waveform Change": 1}, []fact{
				wave("WAVEFORM - AN Freq 50", -18414.3, 18414.3, 408.657, 792.547, 1201.2),
				wave("WAVEFORM - BN Freq 50", -18290.5, 18302.9, -15306.1, -15529, -15751.9),
				wave("WAVEFORM - CN Freq 50", -18364.8, 18426.7, 14847.9, 14625, 14402.1),
				wave("WAVEFORM - NG Freq 50", -18340, 18340, 15690, 15875.7, 16061.5),
				wave("WAVEFORM - AN", -967.654, 857.813, 57.5362, 73.2279, 90.414),
				wave("WAVEFORM - BN", -917.59, 821.946, -643.359, -653.073, -661.293),
				wave("WAVEFORM - CN", -789.815, 839.132, 589.559, 582.834, 578.351),
				wave("WAVEFORM - NG", -1.49445, 0.747224, 0, 0, -0.747224),
			}},
		{"trend_11kv_20220920.pqd", 41, "CPDIS_11KV_OSS0037_412693DX", "2022-09-21 01:12:24", "CPDIS_11KV_OSS0037_412693DX", 174, 38,
			map[string]int{"Basic Trend": 26, "HRMS Trend": 12}, []fact{
				trend("Ia", 144, 85800, 5.72337, 5.5181, 6.26422, 5.75922),
				trend("Ib", 144, 85800, 6.11563, 5.90497, 6.70212, 6.17471),
				trend("Ic", 144, 85800, 6.20058, 5.9704, 6.67708, 6.20901),
				trend("Ia THD", 2880, 86370, 15.5252, 11.0268, 18.5507, 14.6753),
				trend("Ib THD", 2880, 86370, 14.0825, 10.7381, 16.7366, 13.3637),
				trend("Ic THD", 2880, 86370, 13.5284, 10.8665, 16.9866, 13.6691),
			}},
		{"trend_11kv_20220921.pqd", 41, "CPDIS_11KV_OSS0037_412693DX", "2022-09-22 01:12:39", "CPDIS_11KV_OSS0037_412693DX", 174, 38,
			map[string]int{"Basic Trend": 26, "HRMS Trend": 12}, []fact{
				trend("Ia", 144, 85800, 5.67051, 5.44338, 6.23073, 5.70575),
				trend("Ib", 144, 85800, 6.06292, 5.87632, 6.63686, 6.10594),
				trend("Ic", 144, 85800, 6.14361, 5.90755, 6.61309, 6.14185),
				trend("Ia THD", 2880, 86370, 16.2315, 10.4667, 18.4164, 14.5442),
				trend("Ib THD", 2880, 86370, 15.0619, 9.94271, 16.6737, 13.0965),
				trend("Ic THD", 2880, 86370, 13.5056, 10.3857, 17.0863, 13.4407),
			}},
	}
	for _, tt := range tests {
		t.Run(tt.file, func(t *testing.T) {
			t.Parallel()
			r, all := readAll(t, sharedFile(t, tt.file))
			created, _ := r.Container.Created.Time()
			want, err := time.Parse("2006-01-02 15:04:05", tt.created)
			if err != nil {
				t.Fatal(err)
			}
			if r.Records != tt.records || r.Container.FileName != tt.name || r.Container.Version != [4]uint32{1, 5, 1, 5} ||
				created.Sub(want).Abs() > time.Millisecond || r.Container.Style != 2 || r.Container.Algorithm != 1 {
				t.Errorf("%d records, container %+v created %v", r.Records, r.Container, created)
			}
			if r.Source.Name != tt.source || len(r.Source.Channels) != tt.channels || len(all) != tt.seen {
				t.Errorf("source %q with %d channel definitions, %d observations", r.Source.Name, len(r.Source.Channels), len(all))
			}
			counts := map[string]int{}
			for _, o := range all {
				counts[o.Name]++
			}
			if fmt.Sprint(counts) != fmt.Sprint(tt.counts) {
				t.Errorf("observations %v, want %v", counts, tt.counts)
			}
			for _, f := range tt.facts {
				checkFact(t, all, f)
			}
			for _, n := range r.Notes() {
				t.Errorf("not understood: %v", n)
			}
		})
	}
}

// near compares with the six digits that facts are stated in.
func near(got, want float64) bool {
	return math.Abs(got-want) <= 6e-6*math.Abs(want)+1e-9
}

func checkFact(t *testing.T, all []*pqdif.Observation, f fact) {
	t.Helper()
	for _, o := range all {
		for i := range o.Channels {
			c := &o.Channels[i]
			if o.Name != f.observation || c.Defn.Name != f.channel {
				continue
			}
			values, err := o.Values(i, c.Find(f.value))
			if err != nil {
				t.Fatalf("%s: %v", f.channel, err)
			}
			times, err := o.Values(i, c.Find("time"))
			if err != nil {
				t.Fatalf("%s: times: %v", f.channel, err)
			}
			if len(values) != f.points || len(times) != f.points {
				t.Errorf("%s: %d values at %d times, want %d", f.channel, len(values), len(times), f.points)
				return
			}
			lowest, highest, sum := math.Inf(1), math.Inf(-1), 0.0
			for _, v := range values {
				lowest, highest, sum = min(lowest, v), max(highest, v), sum+v
			}
			for k, want := range f.firsts {
				if !near(values[k], want) {
					t.Errorf("%s: value %d is %v, want %v", f.channel, k, values[k], want)
				}
			}
			step := (times[len(times)-1] - times[0]) / float64(len(times)-1)
			for _, p := range [][2]float64{{lowest, f.min}, {highest, f.max}, {sum / float64(len(values)), f.mean}, {step, f.step}, {times[len(times)-1], f.last}} {
				if p[1] != 0 && !near(p[0], p[1]) {
					t.Errorf("%s: %v, want %v", f.channel, p[0], p[1])
				}
			}
			return
		}
	}
	t.Errorf("no channel %s in an observation %s", f.channel, f.observation)
}

// A file whose writer put texts where times belong is read as far as it goes, and says where it does not.
func TestMalformed(t *testing.T) {
	t.Parallel()
	r, all := readAll(t, sharedFile(t, "malformed_guid_as_vector.pqd"))
	if r.Records != 4 || len(r.Source.Channels) != 30 || len(all) != 0 {
		t.Errorf("%d records, %d channel definitions, %d observations", r.Records, len(r.Source.Channels), len(all))
	}
	want := []string{
		"record 0 at offset 96: container: a time is a vector of text instead of a scalar time",
		"record 0 at offset 68: container: version is a vector of text instead of four numbers",
		"record 3 at offset 35488: the link to the next record leads to 36952, behind the end of the file",
		"record 3 at offset 35612: observation: a time is a vector of text instead of a scalar time",
		`record 3 at offset 35488: a record of type observation cannot be read: observation "Group B": its start is a vector of text instead of a time`,
	}
	var got []string
	for _, n := range r.Notes() {
		got = append(got, n.String())
	}
	if !slices.Equal(got, want) {
		t.Errorf("notes:\n%s", strings.Join(got, "\n"))
	}
}
