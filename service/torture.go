//go:build torture

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"metermanager/cloudsync"
	"metermanager/cloudsync/runner"
	"metermanager/logdb/sqldb/simdisk"
	"metermanager/rpc/client"
	"metermanager/service/daemon"
	"metermanager/service/field/modbus"
	"metermanager/service/field/retrieve"
)

// torturePrefix begins the variables that only a program built with the tag torture knows.
const torturePrefix = "MM_TORTURE_"

// tortures has one line per variable of the fault harness.
var tortures = map[string]func(s *daemon.Seams, value string) error{
	"CLOCK": func(s *daemon.Seams, v string) error { // how far the clock is wrong, such as -72h
		d, err := time.ParseDuration(v)
		s.Now = func() time.Time { return time.Now().Add(d) }
		return err
	},
	"PACE": func(s *daemon.Seams, v string) error { // what takes the place of the cloud sync's 30 s, such as 200ms
		d, err := time.ParseDuration(v)
		quicken(s, d)
		return err
	},
	"PAGE": func(s *daemon.Seams, v string) (err error) { // bytes of an uploaded page
		s.Sync.PageBytes, err = strconv.Atoi(v)
		return err
	},
	"DISK": func(s *daemon.Seams, v string) error { // a seed, or seed:file with a file that names the disk's faults
		seed, faults, _ := strings.Cut(v, ":")
		return loseUnsynced(s, seed, faults)
	},
	"HOSTS": func(s *daemon.Seams, v string) error { // a file that resolves the cloud's name: "host:port"; without it there is no such name
		s.DialCloud = dialByFile(v)
		return nil
	},
}

// machine takes the variables of the fault harness out of the environment and makes them seams.
func machine(environ []string) (daemon.Seams, []string, error) {
	var out daemon.Seams
	rest := make([]string, 0, len(environ))
	for _, line := range environ {
		name, value, _ := strings.Cut(line, "=")
		word, ours := strings.CutPrefix(name, torturePrefix)
		if !ours {
			rest = append(rest, line)
			continue
		}
		set, ok := tortures[word]
		if !ok {
			return out, nil, usageError{fmt.Sprintf("the environment variable %s is not known", name)}
		}
		if err := set(&out, value); err != nil {
			return out, nil, usageError{fmt.Sprintf("%s: %v", name, err)}
		}
	}
	return out, rest, nil
}

// quicken makes every interval short, so that what is tried again is tried soon. Their order
// stays as it is.
func quicken(s *daemon.Seams, pace time.Duration) {
	page := s.Sync.PageBytes
	s.Sync = cloudsync.Config{
		TickEvery: pace, SyncEvery: 5 * pace, ScanEvery: 10 * pace, RecheckEvery: 2 * pace, PageBytes: page,
		Retry: runner.Backoff{First: pace / 4, Max: pace}, Pauses: runner.Backoff{First: pace / 2, Max: 5 * pace},
	}
	s.Field = retrieve.Config{
		Retrieve: 2 * pace, System: 15 * pace, Live: 4 * pace,
		Modbus: modbus.Config{Timeout: 5 * pace, ConnectTimeout: 5 * pace, MinBackoff: pace / 2, MaxBackoff: 5 * pace},
	}
	s.Client = client.Config{
		Timeout: 20 * pace, QueryTimeout: 40 * pace, HeaderTimeout: 10 * pace, Retries: 2, RetryWait: pace / 4, RetryMaxWait: pace,
	}
	s.PasswordCost = 4
	s.CompactEvery = 3 * pace
}

// loseUnsynced puts a disk under the databases that loses with the process what was not synced.
func loseUnsynced(s *daemon.Seams, seed, faults string) error {
	n, err := strconv.ParseUint(seed, 10, 64)
	if err != nil {
		return err
	}
	disk, err := simdisk.New(simdisk.Config{Seed: n, Folder: string(filepath.Separator)})
	if err != nil {
		return err
	}
	s.VFS = disk.VFS()
	if faults != "" {
		s.FreeBytes = disk.FreeBytes
		go obeyFaults(disk, faults)
	}
	return nil
}

// obeyFaults does until the end of the process what the words in a file say: "full", "readonly", "failsync" (the
// next sync, once each time that the word comes). No file and an empty one mean a disk without faults.
func obeyFaults(disk *simdisk.Disk, path string) {
	last := ""
	for ; ; time.Sleep(20 * time.Millisecond) {
		text, err := os.ReadFile(path)
		if err != nil {
			text = nil
		}
		now := string(text)
		if now == last {
			continue
		}
		last = now
		words := strings.Fields(now)
		disk.SetFull(slices.Contains(words, "full"))
		disk.SetReadOnly(slices.Contains(words, "readonly"))
		if slices.Contains(words, "failsync") {
			disk.FailSync(1)
		}
	}
}

// dialByFile connects to the address that a file holds, whatever the name: a resolver that
// can be made to fail.
func dialByFile(path string) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		text, err := os.ReadFile(path)
		to := strings.TrimSpace(string(text))
		if err != nil || to == "" {
			host, _, _ := net.SplitHostPort(address)
			return nil, &net.OpError{Op: "dial", Net: network, Err: &net.DNSError{
				Err: errors.New("no such host").Error(), Name: host, IsNotFound: err != nil, IsTemporary: err == nil,
			}}
		}
		return (&net.Dialer{Timeout: 10 * time.Second}).DialContext(ctx, network, to)
	}
}
