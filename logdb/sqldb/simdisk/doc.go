// Package simdisk is a disk for tests under the SQLite driver: it loses what was not synced when the power
// goes, tears writes at sectors, runs full, becomes read-only, and fails to sync, all by a seed.
//
// It is an SQLite VFS in Go. Files live in memory, or, with a folder, in real files that get a write only when
// it is synced (or earlier, by chance), so that a killed process loses what a dead machine would.
//
// What it takes from real disks: a sector of 512 bytes is written whole or not at all, bytes beside a write
// stay (what SQLite calls power-safe overwrite); writes to one sector happen in order, to different sectors in
// any; sizes change in order, but apart from the data. The first sync of a new file also makes all earlier
// creations and deletions in its folder durable, as a journal of a file system does; a delete that asks for a
// synced folder is durable at once. Locks are kept in the process: two processes must not open one folder.
//
// Owns: the VFS, unsynced writes, crashes, faults, images.
// Does not own: what is stored in the files.
// May import: the standard library, modernc.org/sqlite/lib, modernc.org/libc; nothing of ours.
// Start reading at: simdisk.go (Disk), then inode.go and crash.go.
package simdisk
