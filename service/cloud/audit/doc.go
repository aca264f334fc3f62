// Package audit says what is noted of who did what: the events, their chain, their three views.
//
// Owns: the event, how events are chained so that none can be changed or removed unseen, filters, CEF and syslog lines.
// Does not own: its table (service/metadb), who may read it, what is an action.
// May import: nothing of this program.
// Start reading at: audit.go.
package audit
