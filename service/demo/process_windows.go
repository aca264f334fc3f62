package demo

import (
	"os/exec"
	"syscall"
)

// ownGroup keeps the console's Ctrl-C away from the child: the demonstration stops its
// children in order.
func ownGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}
