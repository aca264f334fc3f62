// Package discover finds meters at given addresses.
//
// Owns: the bounds and the pace of a scan, what is asked of a device that is not known, the register view.
// Does not own: connections, profiles, the list of meters.
// May import: rpc/api, field/device, field/modbus, field/poll, field/retrieve.
// Start reading at: Plan.
package discover
