// Package timeline is the events of all logs of several meters as one list.
//
// Owns: what an event says in a line, its severity, filters, which events belong together.
// Does not own: reading them (viewer/source), drawing, what a disturbance means (logdb/pq).
// May import: logdb and its leaves, viewer/chart for severities.
// Start reading at: event.go (Event, Of), filter.go (Filter), related.go (Related).
package timeline
