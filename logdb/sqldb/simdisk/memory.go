package simdisk

// memory is the durable content of a file of a disk in memory. Pages are shared with images.
type memory struct {
	pages []*page // nil: zeros
	bytes int64
}

func (m *memory) size() int64  { return m.bytes }
func (m *memory) close() error { return nil }

func (m *memory) readAt(p []byte, off int64) error {
	for len(p) > 0 {
		i, in := off/pageSize, off%pageSize
		n := min(int64(len(p)), pageSize-in)
		if i < int64(len(m.pages)) && m.pages[i] != nil {
			copy(p[:n], m.pages[i].data[in:])
		} else {
			clear(p[:n])
		}
		p, off = p[n:], off+n
	}
	return nil
}

func (m *memory) writePage(i int64, pg *page) error {
	m.extend(i + 1)
	m.pages[i] = pg
	return nil
}

func (m *memory) writeAt(p []byte, off int64) error {
	m.bytes = max(m.bytes, off+int64(len(p)))
	for len(p) > 0 {
		i, in := off/pageSize, off%pageSize
		m.extend(i + 1)
		fresh := &page{shared: true}
		if m.pages[i] != nil {
			fresh.data = m.pages[i].data
		}
		n := copy(fresh.data[in:], p)
		m.pages[i] = fresh
		p, off = p[n:], off+int64(n)
	}
	return nil
}

func (m *memory) resize(n int64) error {
	count := (n + pageSize - 1) / pageSize
	if count < int64(len(m.pages)) {
		m.pages = append([]*page{}, m.pages[:count]...)
	}
	if in := n % pageSize; in != 0 && n < m.bytes && count <= int64(len(m.pages)) && m.pages[count-1] != nil {
		fresh := &page{shared: true}
		copy(fresh.data[:in], m.pages[count-1].data[:in])
		m.pages[count-1] = fresh
	}
	m.bytes = n
	return nil
}

func (m *memory) extend(count int64) {
	for int64(len(m.pages)) < count {
		m.pages = append(m.pages, nil)
	}
}
