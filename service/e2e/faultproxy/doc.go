// Package faultproxy stands between two parts and does to their messages what networks do:
// drops, delays, doubles, cuts and changes them, answers in their place, stalls.
//
// Owns: one proxy for HTTP, one for Modbus TCP, the draw of what happens to each message,
// the count of what happened.
// Does not own: when there are faults at all; who tests says so.
// May import: nothing.
// Start reading at: fault.go (Kind, Mix), then http.go and modbus.go.
package faultproxy
