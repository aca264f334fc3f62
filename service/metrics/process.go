package metrics

import "runtime"

// WriteProcess writes the figures of this process, under the names that Prometheus' own clients use.
func WriteProcess(t *Text) {
	p := process()
	if p.cpuSeconds >= 0 {
		t.One("process_cpu_seconds_total", Counter, "Processor time spent.", p.cpuSeconds)
	}
	if p.residentBytes >= 0 {
		t.One("process_resident_memory_bytes", Gauge, "Memory that is resident.", p.residentBytes)
	}
	if p.openFiles >= 0 {
		t.One("process_open_fds", Gauge, "Open files and connections.", p.openFiles)
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	t.One("go_goroutines", Gauge, "Goroutines.", float64(runtime.NumGoroutine()))
	t.One("go_memstats_heap_inuse_bytes", Gauge, "Heap in use.", float64(m.HeapInuse))
	t.One("go_memstats_sys_bytes", Gauge, "Memory taken from the system.", float64(m.Sys))
	t.One("go_gc_cycles_total", Counter, "Finished collections of garbage.", float64(m.NumGC))
}

// usage is what a process uses; below 0: not known on this system.
type usage struct{ cpuSeconds, residentBytes, openFiles float64 }
