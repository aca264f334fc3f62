// Package poll reads meters' present values, and keeps the historical log of meters that
// have no memory of their own.
//
// Owns: the live read of a profile with what it learns about a unit (limits, unsupported
// points), rows on exact boundaries, interval energy from counters, gaps with their cause.
// Does not own: connections, log sessions, when meters are polled.
// May import: logdb, field/device, field/modbus.
// Start reading at: source.go (Source), then keeper.go (Keeper), counter.go.
package poll
