package metrics

import (
	"cmp"
	"math"
	"slices"
	"strconv"

	"metermanager/logdb"
	"metermanager/rpc/api"
)

// MostMeters is how many meters have series of their own: those that the node reads itself, in the
// order of their UIDs. The others only count in the sums.
const MostMeters = 100

// WriteNode writes the figures of a status.
func WriteNode(t *Text, s *api.NodeStatus) {
	t.Family("metermanager_build_info", Gauge, "Always 1; the version is a label.").Sample(1, "version", s.Version)
	t.One("metermanager_start_time_seconds", Gauge, "When the node was started, in seconds since 1970.", seconds(s.Started))
	t.One("metermanager_warnings", Gauge, "What needs somebody's action, in lines.", float64(len(s.Warnings)))
	t.One("metermanager_disk_used_bytes", Gauge, "Size of the data folder.", float64(s.Disk.UsedBytes))
	t.One("metermanager_disk_free_bytes", Gauge, "Room left on the disk of the data folder.", float64(s.Disk.FreeBytes))
	level := t.Family("metermanager_disk_level", Gauge, "1 for the level that holds: ok, alarm (make room) or stop (nothing is taken in).")
	for _, l := range [...]string{api.DiskOK, api.DiskAlarm, api.DiskStop} {
		level.Sample(bit(cmp.Or(s.Disk.Level, api.DiskOK) == l), "level", l)
	}
	writeStates(t, s)
	writeSync(t, s.Sync)
	own, left := ownMeters(s.Meters)
	t.One("metermanager_meters_without_series", Gauge, "Meters that have no series of their own: those that others upload, and those beyond the bound.", float64(left))
	writeMeters(t, own)
	writeLogs(t, own)
	writeClouds(t, own)
}

// states are the states of meters; each has a sample, so that none vanishes.
var states = [...]string{"idle", "reading", "retrieving", "unreachable", "paused", "receiving", "waiting", "disabled"}

func writeStates(t *Text, s *api.NodeStatus) {
	count := map[string]int{}
	for _, m := range s.Meters {
		count[m.State]++
	}
	f := t.Family("metermanager_meters", Gauge, "Meters by state.")
	for _, state := range states {
		f.Sample(float64(count[state]), "state", state)
	}
}

// syncMetrics are the metrics of each cloud.
var syncMetrics = []struct {
	name, help string
	value      func(*api.SyncStatus) float64
}{
	{"metermanager_sync_enabled", "1 when uploading to the cloud is switched on.", func(s *api.SyncStatus) float64 { return bit(s.Enabled) }},
	{"metermanager_sync_pending_records", "Records that the cloud has not decided, as far as compared.", func(s *api.SyncStatus) float64 { return float64(s.Pending) }},
	{"metermanager_sync_not_compared_records", "Records of logs that were not compared with the cloud yet, as after a start.",
		func(s *api.SyncStatus) float64 { return float64(s.NotCompared) }},
	{"metermanager_sync_last_contact_timestamp_seconds", "When the cloud answered last; 0: not since the start.", func(s *api.SyncStatus) float64 { return seconds(s.LastContact) }},
	{"metermanager_sync_in_trouble", "1 while the last action failed because of the cloud.", func(s *api.SyncStatus) float64 { return bit(s.Trouble != nil) }},
	{"metermanager_sync_queue_length", "Actions that wait.", func(s *api.SyncStatus) float64 { return float64(len(s.Queue)) }},
}

// writeSync writes the state of the sync with each cloud.
func writeSync(t *Text, s *api.SyncStatus) {
	if s == nil {
		return
	}
	clouds := s.Clouds
	if len(clouds) == 0 {
		clouds = []api.SyncStatus{*s}
	}
	for _, metric := range syncMetrics {
		f := t.Family(metric.name, Gauge, metric.help)
		for i := range clouds {
			f.Sample(metric.value(&clouds[i]), "cloud", clouds[i].Cloud)
		}
	}
	f := t.Family("metermanager_sync_actions_total", Counter, "Finished actions by cloud and result.")
	for _, c := range clouds {
		f.Sample(float64(c.Succeeded), "cloud", c.Cloud, "result", api.ResultSucceeded)
		f.Sample(float64(c.Failed), "cloud", c.Cloud, "result", api.ResultFailed)
		f.Sample(float64(c.Skipped), "cloud", c.Cloud, "result", api.ResultSkipped)
	}
}

// named is a meter with the name of its series.
type named struct {
	api.MeterStatus
	label string
}

// ownMeters picks the meters that have series of their own. Names are labels, UIDs never are; where
// two meters share a name their serial numbers tell them apart.
func ownMeters(all []api.MeterStatus) (own []named, left int) {
	sorted := slices.Clone(all)
	slices.SortFunc(sorted, func(a, b api.MeterStatus) int { return cmp.Compare(a.UID, b.UID) })
	used := map[string]bool{}
	for _, m := range sorted {
		if m.Address == "" || len(own) == MostMeters {
			left++
			continue
		}
		label := cmp.Or(m.Name, m.Serial)
		if used[label] {
			label += " " + m.Serial
		}
		for n := 2; used[label]; n++ {
			label = cmp.Or(m.Name, m.Serial) + " (" + strconv.Itoa(n) + ")"
		}
		used[label] = true
		own = append(own, named{m, label})
	}
	return own, left
}

func writeMeters(t *Text, meters []named) {
	f := t.Family("metermanager_meter_up", Gauge, "1 while the meter answers and its retrieval succeeds.")
	for _, m := range meters {
		f.Sample(bit(m.LastOK > 0 && m.Trouble == nil && m.State != "unreachable"), "meter", m.label)
	}
	f = t.Family("metermanager_meter_last_answer_timestamp_seconds", Gauge, "When the meter answered last; 0: not since the start.")
	for _, m := range meters {
		f.Sample(seconds(m.LastOK), "meter", m.label)
	}
	f = t.Family("metermanager_meter_clock_ahead_seconds", Gauge, "How far the meter's clock is ahead of this node's.")
	for _, m := range meters {
		if m.ClockDrift != nil {
			f.Sample(float64(*m.ClockDrift)/1000, "meter", m.label)
		}
	}
}

// logMetrics are the metrics of each log of each meter that has series of its own.
var logMetrics = []struct {
	name, help string
	value      func(*api.LogStatus) (v float64, ok bool)
}{
	{"metermanager_log_records", "Records of a log that are stored here.", func(l *api.LogStatus) (float64, bool) { return float64(l.Records), true }},
	{"metermanager_log_last_record_timestamp_seconds", "Time of the newest record that is stored here; 0: none.",
		func(l *api.LogStatus) (float64, bool) { return seconds(l.Last), true }},
	{"metermanager_log_meter_last_record_timestamp_seconds", "Time of the newest record in the meter's memory, as of the last look.",
		func(l *api.LogStatus) (float64, bool) {
			return pick(l.AtMeter, func(m *api.LogAtMeter) float64 { return seconds(m.Last) })
		}},
	{"metermanager_log_meter_looked_timestamp_seconds", "When the meter's memory was looked at last.",
		func(l *api.LogStatus) (float64, bool) {
			return pick(l.AtMeter, func(m *api.LogAtMeter) float64 { return seconds(m.Looked) })
		}},
	{"metermanager_log_meter_behind_records", "Records in the meter's memory that are not stored here yet.",
		func(l *api.LogStatus) (float64, bool) {
			return pick(l.AtMeter, func(m *api.LogAtMeter) float64 { return float64(m.Behind) })
		}},
	{"metermanager_log_gaps", "Gaps of the last 30 days.", func(l *api.LogStatus) (float64, bool) {
		if l.Gaps == nil {
			return 0, true
		}
		return float64(l.Gaps.Count), true
	}},
	{"metermanager_log_in_trouble", "1 while the last retrieval of the log failed.", func(l *api.LogStatus) (float64, bool) { return bit(l.Trouble != nil), true }},
}

func pick[T any](p *T, value func(*T) float64) (float64, bool) {
	if p == nil {
		return 0, false
	}
	return value(p), true
}

func writeLogs(t *Text, meters []named) {
	for _, metric := range logMetrics {
		f := t.Family(metric.name, Gauge, metric.help)
		for _, m := range meters {
			for i := range m.Logs {
				l := &m.Logs[i]
				if v, ok := metric.value(l); ok {
					f.Sample(v, "meter", m.label, "kind", l.Kind, "log", strconv.Itoa(int(l.Log)))
				}
			}
		}
	}
}

// cloudMetrics are the metrics of each kind of log of each meter at each cloud.
var cloudMetrics = []struct {
	name, help string
	value      func(*api.LogAtCloud) float64
}{
	{"metermanager_cloud_pending_records", "Records that the cloud has not decided; NaN until both sides were compared.", func(c *api.LogAtCloud) float64 {
		return compared(c, float64(c.Pending))
	}},
	{"metermanager_cloud_lag_seconds", "Age of the oldest record that the cloud has not decided; NaN until both sides were compared.", func(c *api.LogAtCloud) float64 {
		return compared(c, float64(c.LagMS)/1000)
	}},
	{"metermanager_cloud_last_record_timestamp_seconds", "Time of the newest record that the cloud has decided; 0: none.", func(c *api.LogAtCloud) float64 {
		return seconds(c.Last)
	}},
	{"metermanager_cloud_skipped_records", "Records that limits kept from the cloud.", func(c *api.LogAtCloud) float64 { return float64(c.Skipped) }},
	{"metermanager_cloud_conflicts", "Pages that the cloud refused as contradictions since the start.", func(c *api.LogAtCloud) float64 { return float64(c.Conflicts) }},
}

func writeClouds(t *Text, meters []named) {
	for _, metric := range cloudMetrics {
		f := t.Family(metric.name, Gauge, metric.help)
		for _, m := range meters {
			for i := range m.Logs {
				l := &m.Logs[i]
				if i > 0 && m.Logs[i-1].Kind == l.Kind {
					continue // the logs of a kind share a journal
				}
				for k := range l.Clouds {
					c := &l.Clouds[k]
					f.Sample(metric.value(c), "meter", m.label, "kind", l.Kind, "cloud", c.Cloud)
				}
			}
		}
	}
}

func seconds(t logdb.Millis) float64 { return float64(t) / 1000 }

func bit(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func compared(c *api.LogAtCloud, v float64) float64 {
	if c.State == api.CloudNotCompared {
		return math.NaN()
	}
	return v
}
