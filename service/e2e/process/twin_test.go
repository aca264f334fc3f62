//go:build unix

package process_test

import "fmt"

// twin is a copy of a cloud's disk that runs while the cloud does, and is called by its name.
type twin struct {
	*node
	of    *node
	stays bool // the copy takes the cloud's place in the end
}

// cloneCloud starts a copy of a cloud. Who calls the cloud gets the one of the two that was started last.
func (w *world) cloneCloud(n *node, a act) error {
	for _, t := range w.twins {
		if t.of == n {
			return nil // one at most
		}
	}
	c := w.newNode(n.name+"-copy", "cloud")
	c.secret, c.hello, c.webs, c.moved = n.secret, n.hello, n.webs, n.moved
	if err := n.copyTo(c.data); err != nil {
		return err
	}
	if err := c.start(); err != nil {
		return err
	}
	w.twins = append(w.twins, &twin{c, n, a.more%2 == 0})
	return nil
}

// endTwins takes the copies away, or lets them take the clouds' places.
func (w *world) endTwins() error {
	for _, t := range w.twins {
		if err := t.alive(); err != nil {
			return err
		}
		t.end()
		if t.stays {
			if err := t.of.crash(0, func() error { return copyFolder(t.data, t.of.data) }, 0); err != nil {
				return fmt.Errorf("the copy takes the place of the %s: %w", t.of.name, err)
			}
		}
		t.of.moved(t.of.address())
	}
	return nil
}
