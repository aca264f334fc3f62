//go:build unix

package peers_test

import (
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// question is one query of the comparison, of meter 0 where it is of one.
type question struct {
	name           string
	channels, days int
	first          int    // day
	step           string // aggregated: a whole number of minutes
	last           bool   // the last time of each channel
}

// peer is a database under measurement.
type peer interface {
	ingest(t *testing.T, pages []*page) time.Duration
	settle(t *testing.T) (bytes int64)
	ask(t *testing.T, q question)
	holds(t *testing.T, q question)
}

// parallel hands the pages to so many senders and returns how long that took.
const senders = 4

func parallel(n int, do func(worker, i int)) time.Duration {
	work := make(chan int)
	var wg sync.WaitGroup
	begin := time.Now()
	for w := range senders {
		wg.Go(func() {
			for i := range work {
				do(w, i)
			}
		})
	}
	for i := range n {
		work <- i
	}
	close(work)
	wg.Wait()
	return time.Since(begin)
}

func span(q question) (from, to int64) {
	return int64(start) + int64(q.first)*86_400_000, int64(start) + int64(q.first+q.days)*86_400_000
}

func fields(n int, format, join string) string {
	var out []string
	for c := range n {
		out = append(out, strings.ReplaceAll(format, "#", strconv.Itoa(c)))
	}
	return strings.Join(out, join)
}

// influx is InfluxDB 1.x. Its log is synced with every write.
type influx struct{ url, dir string }

func startInflux(t *testing.T) peer {
	if _, err := exec.LookPath("influxd"); err != nil {
		return nil
	}
	dir, port := t.TempDir(), freePort(t)
	child(t, []string{
		"INFLUXDB_META_DIR=" + filepath.Join(dir, "meta"), "INFLUXDB_DATA_DIR=" + filepath.Join(dir, "data"), "INFLUXDB_DATA_WAL_DIR=" + filepath.Join(dir, "wal"),
		fmt.Sprintf("INFLUXDB_HTTP_BIND_ADDRESS=127.0.0.1:%d", port), fmt.Sprintf("INFLUXDB_BIND_ADDRESS=127.0.0.1:%d", freePort(t)),
		"INFLUXDB_REPORTING_DISABLED=true", "INFLUXDB_MONITOR_STORE_ENABLED=false", "INFLUXDB_HTTP_LOG_ENABLED=false", "INFLUXDB_DATA_QUERY_LOG_ENABLED=false",
		"INFLUXDB_DATA_CACHE_SNAPSHOT_WRITE_COLD_DURATION=2s", "INFLUXDB_DATA_COMPACT_FULL_WRITE_COLD_DURATION=4s",
	}, "influxd")
	i := &influx{fmt.Sprintf("http://127.0.0.1:%d", port), dir}
	answers(t, i.url+"/ping")
	fetch(t, "POST", i.url+"/query?q="+url.QueryEscape("CREATE DATABASE b"), "", nil)
	return i
}

func (i *influx) ingest(t *testing.T, pages []*page) time.Duration {
	bodies := linesOf(pages)
	return parallel(len(bodies), func(_, k int) { fetch(t, "POST", i.url+"/write?db=b&precision=ms", "", bodies[k]) })
}

func linesOf(pages []*page) [][]byte {
	out := make([][]byte, len(pages))
	for i, p := range pages {
		out[i] = p.lines(nil)
	}
	return out
}

// settle waits until the files stay as they are: its own compaction is done.
func (i *influx) settle(t *testing.T) int64 {
	before, same := int64(0), 0
	for range 60 {
		time.Sleep(2 * time.Second)
		if n := folderBytes(i.dir); n == before {
			if same++; same == 4 {
				break
			}
		} else {
			before, same = n, 0
		}
	}
	return folderBytes(filepath.Join(i.dir, "data"))
}

func (i *influx) ask(t *testing.T, q question) {
	from, to := span(q)
	where := fmt.Sprintf(" FROM m WHERE meter='m0' AND time >= %dms AND time < %dms", from, to)
	text := "SELECT " + fields(q.channels, "f#", ",") + where
	switch {
	case q.last:
		text = fields(q.channels, "SELECT last(f#) FROM m WHERE meter='m0'", ";")
	case q.step != "":
		text = "SELECT " + fields(q.channels, "mean(f#)", ",") + where + " GROUP BY time(" + q.step + "m)"
	}
	fetch(t, "POST", i.url+"/query?db=b&epoch=ms&q="+url.QueryEscape(text), "", nil)
}

// victoria is VictoriaMetrics. It acknowledges before its data are on the disk.
type victoria struct{ url, dir string }

func startVictoria(t *testing.T) peer {
	if _, err := exec.LookPath("victoria-metrics"); err != nil {
		return nil
	}
	dir, port := t.TempDir(), freePort(t)
	child(t, nil, "victoria-metrics", "-storageDataPath="+dir, fmt.Sprintf("-httpListenAddr=127.0.0.1:%d", port), "-retentionPeriod=100y",
		"-search.disableCache", "-loggerLevel=ERROR", "-search.maxPointsPerTimeseries=1000000", "-search.maxUniqueTimeseries=100000", "-search.latencyOffset=0s")
	v := &victoria{fmt.Sprintf("http://127.0.0.1:%d", port), dir}
	answers(t, v.url+"/health")
	return v
}

func (v *victoria) ingest(t *testing.T, pages []*page) time.Duration {
	bodies := linesOf(pages)
	return parallel(len(bodies), func(_, k int) { fetch(t, "POST", v.url+"/write?precision=ms", "", bodies[k]) })
}

func (v *victoria) settle(t *testing.T) int64 {
	fetch(t, "GET", v.url+"/internal/force_flush", "", nil)
	fetch(t, "GET", v.url+"/internal/force_merge", "", nil)
	time.Sleep(8 * time.Second)
	return folderBytes(v.dir)
}

// holds fails when a value of meter 0 is missing: a database that lost some would look fast and small.
func (v *victoria) holds(t *testing.T, q question) {
	_, to := span(q)
	text := fetchText(t, fmt.Sprintf("%s/api/v1/query?time=%d&query=%s", v.url, to/1000, url.QueryEscape(fmt.Sprintf(`sum(count_over_time({__name__=~"m_f.*",meter="m0"}[%dd]))`, q.days+1))))
	if want := fmt.Sprintf(`"%d"]`, q.channels*q.days*rowsOfPage); !strings.Contains(text, want) {
		t.Errorf("VictoriaMetrics does not hold %s values: %s", want, text)
	}
}

func (i *influx) holds(t *testing.T, q question) {
	text := fetchText(t, i.url+"/query?db=b&q="+url.QueryEscape("SELECT count(f31) FROM m WHERE meter='m0'"))
	if want := fmt.Sprintf(",%d]", q.days*rowsOfPage); !strings.Contains(text, want) {
		t.Errorf("InfluxDB does not hold %s values: %s", want, text)
	}
}

func (w *wide) holds(t *testing.T, q question) {
	if got := w.s.ask(t, "SELECT count(f31) FROM w WHERE meter = 0;"); got != strconv.Itoa(q.days*rowsOfPage) {
		t.Errorf("PostgreSQL holds %s rows", got)
	}
}

func (v *victoria) ask(t *testing.T, q question) {
	from, to := span(q)
	names := `{__name__=~"m_(` + fields(q.channels, "f#", "|") + `)",meter="m0"}`
	switch {
	case q.last:
		fetch(t, "GET", fmt.Sprintf("%s/api/v1/query?time=%d&query=%s", v.url, to/1000, url.QueryEscape(fmt.Sprintf("tlast_over_time(%s[%dd]) keep_metric_names", names, q.days))), "", nil)
	case q.step != "":
		fetch(t, "GET", fmt.Sprintf("%s/api/v1/query_range?start=%d&end=%d&step=%sm&query=%s", v.url, from/1000, to/1000, q.step, url.QueryEscape(fmt.Sprintf("avg_over_time(%s[%sm])", names, q.step))), "", nil)
	default:
		fetch(t, "GET", fmt.Sprintf("%s/api/v1/export?start=%d&end=%d&match[]=%s", v.url, from/1000, to/1000-1, url.QueryEscape(names)), "", nil)
	}
}

// wide is a table of PostgreSQL with a column for each channel. Its answers are text and not JSON, and nobody reads them as numbers.
type wide struct {
	*postgres
	s *session
}

func startWide(t *testing.T) peer {
	pg := startPostgres(t)
	if pg == nil {
		return nil
	}
	w := &wide{pg, pg.session(t)}
	w.s.ask(t, "CREATE TABLE w (meter int NOT NULL, t bigint NOT NULL, "+fields(channelCount, "f# double precision", ",")+"); CREATE INDEX ON w (meter, t);")
	return w
}

func (w *wide) ingest(t *testing.T, pages []*page) time.Duration {
	files := make([]string, len(pages))
	for i, p := range pages {
		files[i] = filepath.Join(w.dir, fmt.Sprintf("page%d", i))
		must(t, os.WriteFile(files[i], p.copied(), 0o644))
	}
	var open [senders]*session
	for i := range open {
		open[i] = w.session(t)
	}
	took := parallel(len(files), func(worker, i int) { open[worker].ask(t, `\copy w FROM '`+files[i]+`' BINARY`) })
	for _, f := range files {
		must(t, os.Remove(f))
	}
	return took
}

func (w *wide) settle(t *testing.T) int64 {
	w.s.ask(t, "VACUUM ANALYZE w;")
	n, err := strconv.ParseInt(w.s.ask(t, "SELECT pg_total_relation_size('w');"), 10, 64)
	must(t, err)
	return n
}

func (w *wide) ask(t *testing.T, q question) {
	from, to := span(q)
	where := fmt.Sprintf(" FROM w WHERE meter = 0 AND t >= %d AND t < %d", from, to)
	text := "SELECT t," + fields(q.channels, "f#", ",") + where + " ORDER BY t"
	switch {
	case q.last:
		text = "SELECT " + fields(q.channels, "(SELECT t FROM w WHERE meter = 0 AND f# IS NOT NULL ORDER BY t DESC LIMIT 1)", ",")
	case q.step != "":
		text = fmt.Sprintf("SELECT t / (60000::bigint*%s), %s%s GROUP BY 1 ORDER BY 1", q.step, fields(q.channels, "avg(f#)", ","), where)
	}
	w.s.ask(t, text+";")
}
