package sim

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"metermanager/logdb"
)

// journal is the file of what happened and cannot be computed: log retrievals, resets, programmings. One line
// each, behind a first line that names the meter. It is nil when nothing is kept.
type journal struct{ file *os.File }

const stateFormat = "metermanager-sim 1"

// openState reads the state file, or makes it.
func (m *Meter) openState() error {
	if m.cfg.State == "" {
		return nil
	}
	first := fmt.Sprintf("%s seed %d start %d\n", stateFormat, m.cfg.Seed, m.cfg.Start.UnixMilli())
	data, err := os.ReadFile(m.cfg.State)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read state: %w", err)
	}
	whole := 0 // bytes in whole lines: a crash may leave half of one
	if len(data) > 0 {
		if !bytes.HasPrefix(data, []byte(first)) {
			line, _, _ := strings.Cut(string(data[:min(len(data), 200)]), "\n")
			return fmt.Errorf("state %s is that of another meter (%q, not %q)", m.cfg.State, line, strings.TrimSpace(first))
		}
		whole = bytes.LastIndexByte(data, '\n') + 1
		if err := m.replay(data[len(first):whole]); err != nil {
			return fmt.Errorf("read state %s: %w", m.cfg.State, err)
		}
	}
	f, err := os.OpenFile(m.cfg.State, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("open state: %w", err)
	}
	if err = f.Truncate(int64(whole)); err == nil {
		_, err = f.Seek(int64(whole), 0)
	}
	if err == nil && whole == 0 {
		_, err = f.WriteString(first)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write state: %w", err), f.Close())
	}
	m.journal = &journal{f}
	return nil
}

func (m *Meter) replay(data []byte) error {
	lines := bufio.NewScanner(bytes.NewReader(data))
	for n := 2; lines.Scan(); n++ {
		var at int64
		var event, channel uint8
		var param uint32
		if _, err := fmt.Sscanf(lines.Text(), "%d %d %d %d", &at, &event, &channel, &param); err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
		if int(event) >= len(systemEvents) || at < m.plan.begin {
			return fmt.Errorf("line %d: event %d at %d", n, event, at)
		}
		if err := m.again(at, eventName(event), channel, param, lines.Text()); err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
	}
	return lines.Err()
}

// again lets a noted event happen once more.
func (m *Meter) again(at int64, event eventName, channel byte, param uint32, line string) (err error) {
	switch event {
	case eventLogReset:
		_, err = m.resetLog(int(param), at)
	case eventEnergyReset:
		m.resetEnergy(at)
	case eventSettings:
		var minutes int64
		var names string
		if _, err := fmt.Sscanf(line, "%d %d %d %d %d %s", new(int64), new(uint8), new(uint8), new(uint32), &minutes, &names); err != nil {
			return fmt.Errorf("a programming: %w", err)
		}
		var channels []logdb.ChannelKey
		for name := range strings.SplitSeq(names, ",") {
			channels = append(channels, logdb.ChannelKey(name))
		}
		_, err = m.reprogram(int(param), time.Duration(minutes)*time.Minute, channels, at)
	default:
		m.plan.note(at, event, channel, param)
	}
	return err
}

// programText is a programming as the state file has it.
func programText(interval time.Duration, channels []logdb.ChannelKey) string {
	var names []string
	for _, c := range channels {
		names = append(names, string(c))
	}
	return fmt.Sprintf(" %d %s", int64(interval/time.Minute), strings.Join(names, ","))
}

// record notes what somebody did to the meter in its state file.
func (m *Meter) record(at int64, event eventName, param uint32, more string) {
	if err := m.journal.append(at, event, frontPanel, param, more); err != nil {
		m.log.Warn("keep what was done to the meter", "err", err)
	}
}

func (j *journal) append(at int64, event eventName, channel byte, param uint32, more string) error {
	if j == nil {
		return nil
	}
	if _, err := fmt.Fprintf(j.file, "%d %d %d %d%s\n", at, event, channel, param, more); err != nil {
		return fmt.Errorf("write state: %w", err)
	}
	return nil
}

func (j *journal) close() error {
	if j == nil {
		return nil
	}
	return j.file.Close()
}

// startOf returns the begin of the history that a state file belongs to, in ms, and whether there is such a file.
func startOf(path string, seed uint64) (int64, bool) {
	data, err := os.ReadFile(path)
	if err != nil {
		return 0, false
	}
	var got uint64
	var start int64
	line, _, _ := strings.Cut(string(data[:min(len(data), 200)]), "\n")
	if _, err := fmt.Sscanf(line, stateFormat+" seed %d start %d", &got, &start); err != nil || got != seed {
		return 0, false
	}
	return start, true
}
