// Package analysis cuts time as people do (hours, days and months of a zone) and says which of
// several logs of one channel answers for a span of it, so that nothing is counted twice.
//
// Owns: calendar edges, the step of the hour tier, the choice between journals and logs, queries with it applied.
// Does not own: storage, the wire, what a single store answers for a single series.
// May import: logdb.
// Start reading at: calendar.go, then choose.go, then query.go.
package analysis
