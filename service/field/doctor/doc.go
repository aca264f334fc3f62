// Package doctor says in words why a meter does not answer as it should, and what to try.
//
// Owns: what counters and answers of Modbus mean for an installer; the questions that tell one fault from another.
// Does not own: connections, counters, profiles, the list of meters.
// May import: field/device, field/modbus.
// Start reading at: Explain, then Examine.
package doctor
