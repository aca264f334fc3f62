package cloudsync_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"testing"

	"metermanager/cloudsync"
	"metermanager/cloudsync/runner"
	"metermanager/logdb"
	"metermanager/rpc/fault"
)

// net plays a random life of a site that uploads to two clouds of which each passes on to the other: everything
// reaches each by two ways, and goes round.
type net struct {
	*world
	far  *fakeCloud // the second cloud; the first is world.cloud
	on   *site      // the first cloud as it uploads to the second
	back *site      // the second as it uploads to the first; nil: it does not
}

func newNet(t *testing.T, seed uint64) *net {
	w := newWorld(t, seed)
	n := &net{world: w, far: newFakeCloud()}
	n.far.store = w.newLogs(nil)
	w.second("far", n.far)
	n.on = relay(t, w.cloud, n.far)
	if seed%3 != 0 {
		n.back = relay(t, n.far, w.cloud)
	}
	for _, s := range []*site{n.on, n.back} {
		if s != nil {
			s.cfg.PageBytes = w.cfg.PageBytes
			s.restart()
		}
	}
	return n
}

// try uploads once from a node to a cloud over a network that loses requests and answers, and may kill the node.
func (n *net) try(s *site, cloud string, to *fakeCloud) {
	lose := func(string) error {
		if n.rng.IntN(6) == 0 {
			return fault.New(fault.Unavailable, "lost")
		}
		return nil
	}
	to.before, to.after, to.hold = lose, lose, n.rng.IntN(6) == 0
	if n.rng.IntN(6) == 0 {
		calls := n.rng.IntN(8)
		to.after = func(string) error {
			if calls--; calls < 0 {
				s.kill()
			}
			return nil
		}
	}
	link := s.sync.For(cloud)
	_, err := link.RegisterMeter(n.t.Context(), s.uid)
	if err == nil {
		_, err = link.UploadMeter(n.t.Context(), s.uid)
	}
	if errors.Is(err, runner.ErrStopped) || errors.Is(err, context.Canceled) {
		s.restart()
	} else if err != nil && !errors.Is(err, fault.Unavailable) && !errors.Is(err, fault.NotFound) {
		n.t.Fatalf("upload from %s to %q: %v", s.uid, cloud, err)
	}
	to.before, to.after, to.hold = nil, nil, false
	if n.rng.IntN(2) == 0 {
		to.deliver(n.t, n.rng)
	}
}

// empty takes a cloud's database away. The node that passes it on has an empty one too.
func (n *net) empty(cloud *fakeCloud, node *site) {
	cloud.store, cloud.held, cloud.known = n.newLogs(nil), nil, map[logdb.MeterUID]bool{}
	if node == nil {
		return
	}
	node.stop()
	node.logs = cloud.store
	name(n.t, cloud)
	node.start()
}

func (n *net) live(ops int) {
	for range ops {
		switch k := n.rng.IntN(100); {
		case k < 30:
			n.appendRows()
		case k < 36:
			n.lateRow()
		case k < 39:
			n.clockBack()
			n.far.limits.HistoricalIntervalMillis = 0
		case k < 46:
			n.change(logdb.KindHistorical)
		case k < 49:
			n.append(logdb.Batch{Kind: logdb.KindHistorical, Entries: []logdb.Entry{{Op: logdb.OpClose, Log: logdb.LogNo(n.rng.IntN(2)), Run: n.run, Time: start}}})
		case k < 58:
			n.events()
		case k < 62:
			n.change([]logdb.Kind{logdb.KindSystem, logdb.KindLimit, logdb.KindPQ}[n.rng.IntN(3)])
		case k < 70:
			n.note("to the first cloud")
			n.try(n.site, "", n.cloud)
		case k < 78:
			n.note("to the second cloud")
			n.try(n.site, "far", n.far)
		case k < 86:
			n.note("from the first to the second cloud")
			n.try(n.on, "", n.far)
		case k < 92:
			if n.back != nil {
				n.note("from the second to the first cloud")
				n.try(n.back, "", n.cloud)
			}
		case k < 94:
			n.note("the first cloud is emptied")
			n.empty(n.cloud, n.on)
		case k < 96:
			n.note("the second cloud is emptied")
			n.empty(n.far, n.back)
		case k < 98:
			n.note("restart")
			n.restart()
			n.on.restart()
		default:
			n.restore()
		}
	}
	for log := range logdb.LogNo(2) {
		n.append(logdb.Batch{Kind: logdb.KindHistorical, Entries: []logdb.Entry{{Op: logdb.OpClose, Log: log, Run: n.run, Time: start}}})
	}
	n.settle()
}

// settle lets everything come to rest: a whole round without any page.
func (n *net) settle() {
	n.t.Helper()
	for range 60 {
		pages := n.cloud.pages + n.far.pages
		for _, f := range []*fakeCloud{n.cloud, n.far} {
			f.deliver(n.t, n.rng)
		}
		for _, up := range []struct {
			s     *site
			cloud string
		}{{n.site, cloudsync.FirstCloud}, {n.site, "far"}, {n.on, ""}, {n.back, ""}} {
			if up.s == nil {
				continue
			}
			link := up.s.sync.For(up.cloud)
			if _, err := link.Refresh(n.t.Context()); err != nil && !errors.Is(err, fault.NotFound) {
				n.t.Fatal(err)
			}
			_, err := link.RegisterMeter(n.t.Context(), up.s.uid)
			if err == nil {
				_, err = link.UploadMeter(n.t.Context(), up.s.uid)
			}
			if err != nil && !errors.Is(err, fault.NotFound) {
				n.t.Fatal(err)
			}
		}
		if n.cloud.pages+n.far.pages == pages {
			return
		}
	}
	n.t.Fatal("the pages go round for ever")
}

func TestRandomRelays(t *testing.T) {
	t.Parallel()
	lives := 12 // RELAYS=1000 for a long run, FIRST for where it begins
	if n, err := strconv.Atoi(os.Getenv("RELAYS")); err == nil {
		lives = n
	}
	first, _ := strconv.Atoi(os.Getenv("FIRST"))
	if testing.Short() {
		lives = 4
	}
	seeds := []uint64{28} // a journal id that was given up came back with a backup
	for i := range lives {
		seeds = append(seeds, uint64(first+i))
	}
	for _, seed := range seeds[min(first, 1):] {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			n := newNet(t, seed)
			n.live(60)
			first := n.cloud
			for where, cloud := range map[string]*fakeCloud{"first": first, "second": n.far} {
				n.cloud = cloud
				head, err := n.logs.Journal(t.Context(), meter, logdb.KindHistorical)
				if err != nil {
					t.Fatal(err)
				}
				same(t, where+" cloud, values", points(t, cloud.store, "cloud-4711", head.ID), n.wantPoints())
				for _, kind := range logdb.Kinds[1:] {
					head, err := n.logs.Journal(t.Context(), meter, kind)
					if errors.Is(err, logdb.ErrNotFound) {
						continue
					}
					if err != nil {
						t.Fatal(err)
					}
					same(t, where+" cloud, "+kind.String(), n.haveEvents(kind, head.ID), n.wantEvents(kind))
				}
			}
			n.cloud = first
			n.clean()
			n.cloud = n.far
			n.cleanWith("far")
			for _, s := range []*site{n.on, n.back} {
				if s == nil {
					continue
				}
				s.t = t
				if r := s.verify(); !r.Clean() || r.Compared == 0 {
					t.Errorf("verify at a relay: %d compared, %d pending, %d different, %+v", r.Compared, r.Pending, r.Different, r.Days[:min(3, len(r.Days))])
				}
			}
		})
	}
}
