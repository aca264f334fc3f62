// Package installer holds what the operating system is told about the service.
//
// Owns: the text of the systemd unit and the recovery options of the Windows service.
// Does not own: calling the service manager (service/daemon).
// May import: nothing.
// Start reading at: Unit in systemd.go.
package installer
