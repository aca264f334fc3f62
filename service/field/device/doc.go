// Package device knows meters: profiles as data, which requests read them, and what
// the bytes of their registers and logs mean.
//
// Owns: the profile schema, the read planner, decoders and encoders of live registers,
// log status, windows and records. Does not own: connections, sessions, schedules. No I/O.
// May import: logdb.
// Start reading at: profile.go (Profile), then point.go, record.go.
package device
