// Package retrieve brings the logs in a meter's memory into the node's own journals, and
// runs the meters of a site.
//
// Owns: log sessions (engage, window, disengage), alignment with what is stored, pairing of
// events, resume points, the list of meters with their schedules and states (Manager).
// Does not own: frames, record layouts, live values, storage, the cloud.
// May import: logdb, field/device, field/modbus, field/poll.
// Start reading at: log.go (Reader.Log), then session.go, align.go; manager.go for the list.
package retrieve
