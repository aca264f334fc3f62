package sqldb

import (
	"errors"
	"syscall"
)

// errWriteProtect is ERROR_WRITE_PROTECT.
const errWriteProtect = syscall.Errno(19)

func isReadOnlyDisk(err error) bool { return errors.Is(err, errWriteProtect) }
