//go:build unix

package process_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"time"

	"metermanager/service/e2e/faultproxy"
)

// partOf returns a part by its name.
func (w *world) partOf(name string) *part {
	for _, p := range w.parts() {
		if p.name == name {
			return p
		}
	}
	return w.meter
}

func (w *world) siteOf(name string) *site {
	for _, s := range w.sites {
		if s.name == name {
			return s
		}
	}
	return w.sites[0]
}

func (w *world) nodeOf(name string) *node {
	for _, c := range w.clouds {
		if c.name == name {
			return c
		}
	}
	return w.siteOf(name).node
}

// do carries out one act.
func (w *world) do(a act) error {
	switch a.what {
	case "kill":
		return w.partOf(a.who).crash(a.wait, nil, 0)
	case "kill twice":
		return w.partOf(a.who).crash(a.wait/2, nil, time.Duration(a.more%250)*time.Millisecond)
	case "away":
		return w.partOf(a.who).crash(1500*time.Millisecond, nil, 0)
	case "power cut":
		return each(w.parts(), func(p *part) error { return p.crash(a.wait, nil, 0) })
	case "freeze":
		w.partOf(a.who).freeze(2 * a.wait)
		return nil
	case "restart":
		return w.partOf(a.who).restart()
	case "reset log", "reset energy", "reprogram", "replace":
		return w.alter(a)
	case "zone", "scale":
		w.misread(a)
		return nil
	case "mix":
		return w.remix(a)
	case "policy":
		if err := w.siteOf(a.who).upload(context.Background(), policies[a.more%len(policies)]); err != nil {
			w.log.note("policy: %v", err) // the person will find out
		}
		return nil
	case "no name":
		s := w.siteOf(a.who)
		err := s.resolve(false)
		sleep(context.Background(), a.wait)
		return errors.Join(err, s.resolve(true))
	}
	return w.doNode(a)
}

// doNode carries out an act that concerns the folder of a node.
func (w *world) doNode(a act) error {
	n := w.nodeOf(a.who)
	switch a.what {
	case "backup":
		n.backup = filepath.Join(w.dir, n.name+".backup")
		return n.copyTo(n.backup)
	case "restore":
		return n.crash(a.wait/4, func() error { return copyFolder(n.backup, n.data) }, 0)
	case "clone":
		if n := w.nodeOf(a.who); slices.Contains(w.clouds, n) {
			return w.cloneCloud(n, a)
		}
		return w.clone(w.siteOf(a.who))
	case "disk":
		word := []string{"full", "full", "readonly", "failsync"}[a.more%4]
		if err := os.WriteFile(n.diskFile(), []byte(word), 0o600); err != nil {
			return err
		}
		sleep(context.Background(), a.wait+200*time.Millisecond)
		return os.Remove(n.diskFile())
	case "empty":
		return n.crash(a.wait/4, func() error { return n.empty(a.more%2 == 0) }, 0)
	case "reinstall":
		return n.crash(a.wait/4, func() error { return os.RemoveAll(n.data) }, 0)
	case "clock":
		return n.crash(a.wait/4, func() error {
			n.env["MM_TORTURE_CLOCK"] = fmt.Sprintf("%dm", a.more%20000-10000)
			return nil
		}, 0)
	}
	return fmt.Errorf("nobody knows how")
}

// empty removes the log database of a node, or everything.
func (n *node) empty(logs bool) error {
	if !logs {
		return os.RemoveAll(n.data)
	}
	files, err := filepath.Glob(filepath.Join(n.data, "logs.db*"))
	if err != nil {
		return err
	}
	for _, f := range files {
		if err := os.Remove(f); err != nil {
			return err
		}
	}
	return nil
}

// clone starts a second machine from a copy of the first one's disk, beside it.
func (w *world) clone(s *site) error {
	if len(w.sites) > 2 {
		return nil // two at most
	}
	name := fmt.Sprintf("clone%d", len(w.sites))
	c := &site{node: w.newNode(name, "site"), wire: s.wire, hosts: s.hosts, login: s.login}
	c.secret, c.hello, c.webs = s.secret, s.hello, s.webs
	if s.hosts != "" {
		c.env["MM_TORTURE_HOSTS"] = s.hosts
	}
	c.env["MM_TORTURE_PACE"] = slowPace.String()
	if err := s.copyTo(c.data); err != nil {
		return err
	}
	if err := c.start(); err != nil {
		return err
	}
	w.sites = append(w.sites, c)
	return nil
}

func (w *world) remix(a act) error {
	r := rand.New(rand.NewPCG(uint64(a.more), w.plan.seed))
	if a.who == "web" {
		for _, web := range w.ways() {
			web.SetMix(faultproxy.RandomMix(r, faultproxy.HTTPKinds, r.Float64(), time.Second))
		}
		return nil
	}
	for _, s := range w.sites {
		s.wire.SetMix(faultproxy.RandomMix(r, faultproxy.ModbusKinds, 0.1*r.Float64(), 400*time.Millisecond))
	}
	return nil
}
