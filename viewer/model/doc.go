// Package model is what the log viewer shows, without a window: the sources and meters, the event list, trends, recordings,
// tolerance charts, weeks, and what can be done with them.
//
// Owns: view models and their intents, loading what they show, exports, the JSON of -dump.
// Does not own: widgets and threads (viewer/desktop), reading (viewer/source), arithmetic (logdb/pq).
// May import: viewer/source, logdb and its leaves, viewer/chart, viewer/timeline.
// Start reading at: session.go (Session), events.go, trend.go, wave.go.
package model
