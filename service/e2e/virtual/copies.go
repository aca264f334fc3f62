package virtual

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"metermanager/rpc/api"
	"metermanager/service/config"
)

// The ways in which a copy of the cloud's disk runs for a while.
const (
	copyBeside  = iota // connections come to either
	copyInstead        // all connections come to the copy, and afterwards to the first one again
	copyStays          // the same, and the copy is what stays
	copyWays
)

// twin is what the copy of the cloud is called.
const twin = "twin"

// cloneCloud starts a copy of the cloud that is called by the cloud's name.
func (w *world) cloneCloud(ctx context.Context, way int64, until time.Time) {
	cloud := w.nodes["cloud"]
	if w.nodes[twin] != nil || w.retired != nil || !cloud.Running() {
		return
	}
	image, err := cloud.Image()
	if err == nil {
		err = w.newNode(ctx, twin, config.RoleCloud, image)
	}
	if err != nil {
		w.note("the cloud's copy: %v", err)
	}
	if w.nodes[twin] == nil {
		return
	}
	rng, mu := rand.New(rand.NewPCG(w.plan.Seed, 7)), sync.Mutex{}
	w.net.Reroute("cloud", func() string {
		mu.Lock()
		defer mu.Unlock()
		if way == copyBeside && rng.IntN(2) == 0 {
			return "cloud"
		}
		return twin
	})
	w.at(until, func(ctx context.Context) { w.endCopy(ctx, way) })
}

// endCopy takes the copy away, or lets it take the cloud's place.
func (w *world) endCopy(ctx context.Context, way int64) {
	copied, cloud := w.nodes[twin], w.nodes["cloud"]
	w.net.Reroute("cloud", nil)
	if err := copied.Stop(); err != nil {
		w.note("the cloud's copy ends with %v", err)
	}
	delete(w.nodes, twin)
	w.retired = copied
	if way != copyStays {
		return
	}
	image, err := copied.Image()
	if err == nil {
		err = cloud.Kill()
	}
	if err == nil {
		err = cloud.Restore(image)
	}
	if err != nil {
		w.problem("the copy takes the cloud's place: %v", err)
	}
	w.start(ctx, cloud)
	w.joinSecond(ctx, "cloud") // which the copy may not know
}

// ahead is how far the clock of ages is put forward: so far that what was recorded until now belongs into the archive.
const ahead = 9 * 31 * 24 * time.Hour

// archived lets a node's data grow old: from now on they leave the database for the archive at every pass, and a pass begins.
// What comes later for those days, records and new versions, has to find its place there.
func (w *world) archived(ctx context.Context, n *Node) {
	n.SetAhead(ahead)
	_ = w.command(ctx, n.Host(), api.CmdRetentionRun, map[string]any{"wait": true}) // it may be down, or its disk full
}
