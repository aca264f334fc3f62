package simdisk

import (
	"errors"
	"fmt"
	"maps"
	"slices"
)

// manner is how a crash treats what was not synced.
type manner int

const (
	loseAll   manner = iota
	keepAll          // the answer was lost, not the data
	keepFirst        // a disk that writes in order, cut in the middle of a write
	keepSome         // whole writes by chance
	keepTorn         // every sector by chance
	manners
)

// Crash takes the power away: of what was not synced, a part by chance is on the disk, torn at sectors and out of
// order, the rest is lost. Every open handle fails from now on and changes nothing. The databases can be opened
// again, under the new name that VFS returns.
func (d *Disk) Crash() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.crash()
	return d.failed
}

// crash notes what goes wrong with real files in failed.
func (d *Disk) crash() {
	d.end()
	how := manner(d.rng.IntN(int(manners)))
	for _, path := range slices.Sorted(maps.Keys(d.names)) {
		n := d.names[path]
		if n.live != n.durable && how != loseAll && (how == keepAll || d.rng.IntN(2) == 0) {
			d.note(path, d.settle(path, n))
		}
		f := n.durable
		if f == nil {
			delete(d.names, path)
			continue
		}
		d.note(path, d.tear(f, how))
		fresh := newInode(f.base, true)
		d.names[path] = &name{live: fresh, durable: fresh}
	}
}

// kill ends the program: locks and the shared index are gone with it, what it wrote is not.
func (d *Disk) kill() {
	d.end()
	fresh := map[*inode]*inode{}
	again := func(f *inode) *inode {
		if f == nil {
			return nil
		}
		if fresh[f] == nil {
			fresh[f] = &inode{
				base: f.base, size: f.size, baseEnd: f.baseEnd, dirty: f.dirty, log: f.log, clean: f.clean, named: f.named,
			}
		}
		return fresh[f]
	}
	for _, n := range d.names {
		n.live, n.durable = again(n.live), again(n.durable)
	}
}

// end makes all handles fail and calls off what was to come.
func (d *Disk) end() {
	for _, m := range d.mounts {
		m.dead = true
	}
	d.crashIn, d.failSyncs = 0, 0
	if d.crashed != nil {
		close(d.crashed)
		d.crashed = nil
	}
}

func (d *Disk) note(path string, err error) {
	if err != nil {
		d.failed = errors.Join(d.failed, fmt.Errorf("simulated disk: %s: %w", path, err))
	}
}

// tear puts on the disk what a crash leaves of a file.
func (d *Disk) tear(f *inode, how manner) error {
	total := len(f.log)
	if total == 0 {
		return nil
	}
	sized := d.rng.IntN(total + 1) // so many changes of size are on the disk, in order
	switch how {
	case loseAll:
		sized = 0
	case keepAll:
		sized = total
	}
	t := tearing{disk: d, file: f, how: how, sized: sized, written: make([]bool, total)}
	for i := range t.written {
		t.written[i] = d.rng.IntN(2) == 0
	}
	cut, end := f.base.size(), f.base.size()
	for _, c := range f.log[:sized] {
		if c.data == nil {
			cut = min(cut, c.size)
		}
		end = c.size
	}
	sectors, err := t.sectors()
	if err != nil {
		return err
	}
	for _, n := range []int64{cut, end} {
		if err := f.base.resize(n); err != nil {
			return err
		}
	}
	for _, s := range slices.Sorted(maps.Keys(sectors)) {
		if n := min(sectorSize, end-s*sectorSize); n > 0 {
			if err := f.base.writeAt(sectors[s][:n], s*sectorSize); err != nil {
				return err
			}
		}
	}
	return nil
}

// tearing is one crash as one file suffers it.
type tearing struct {
	disk    *Disk
	file    *inode
	how     manner
	sized   int
	written []bool // by change, for keepSome
}

// sectors returns what the sectors that were written to hold afterwards.
func (t *tearing) sectors() (map[int64][]byte, error) {
	var cuts []int
	touched := map[int64][]int{} // sector: changes that write to it
	for i, c := range t.file.log {
		if c.data == nil {
			cuts = append(cuts, i)
		}
		for s := c.off / sectorSize; len(c.data) > 0 && s*sectorSize < c.off+int64(len(c.data)); s++ {
			touched[s] = append(touched[s], i)
		}
	}
	out := map[int64][]byte{}
	for _, s := range slices.Sorted(maps.Keys(touched)) {
		events := touched[s]
		for _, i := range cuts {
			if t.file.log[i].size < (s+1)*sectorSize {
				events = append(events, i)
			}
		}
		slices.Sort(events)
		b := make([]byte, sectorSize)
		if err := t.file.base.readAt(b, s*sectorSize); err != nil {
			return nil, err
		}
		for _, i := range events[:t.reach(events)] {
			t.file.log[i].apply(b, s*sectorSize)
		}
		out[s] = b
	}
	return out, nil
}

// reach returns how many of the changes of a sector are on the disk. They are there in order; of changes of size
// those that the whole file got, no others.
func (t *tearing) reach(events []int) int {
	least, most := 0, len(events)
	for n, i := range events {
		if t.file.log[i].data != nil {
			continue
		}
		if i < t.sized {
			least = n + 1
		} else {
			most = min(most, n)
		}
	}
	n := least
	switch t.how {
	case keepAll:
		n = most
	case keepFirst:
		for n < most && (events[n] < t.sized || events[n] == t.sized && t.disk.rng.IntN(2) == 0) {
			n++
		}
	case keepSome:
		for i := most; i > least; i-- {
			if t.written[events[i-1]] {
				n = i
				break
			}
		}
	case keepTorn:
		n += t.disk.rng.IntN(most - least + 1)
	}
	return n
}

// apply makes the change in the part of the file that begins at off.
func (c *change) apply(b []byte, off int64) {
	if c.data == nil {
		if from := c.size - off; from < int64(len(b)) {
			clear(b[max(0, from):])
		}
		return
	}
	if c.off >= off {
		if c.off-off < int64(len(b)) {
			copy(b[c.off-off:], c.data)
		}
	} else if off-c.off < int64(len(c.data)) {
		copy(b, c.data[off-c.off:])
	}
}
