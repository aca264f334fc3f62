package daemon

import (
	"context"
	"fmt"
	"sync"

	"metermanager/logdb"
	"metermanager/logdb/limit"
	"metermanager/service/cloud/ingest"
	"metermanager/service/metadb"
)

// limits are the numbers that this node applies to what others upload: kept, and changed while it runs.
type limits struct {
	store *metadb.Cloud
	push  *ingest.Service
	mu    sync.Mutex // held from reading the numbers to storing them
}

const limitSetting = "limit."

// openLimits takes up the numbers that were set.
func openLimits(ctx context.Context, store *metadb.Cloud, push *ingest.Service) (*limits, error) {
	settings, err := store.NodeSettings(ctx)
	if err != nil {
		return nil, err
	}
	all := push.Limits()
	for _, name := range limit.Names() {
		if value, ok := settings[limitSetting+name]; ok {
			if err := limit.Set(&all, name, value); err != nil {
				return nil, fmt.Errorf("take up the limit %s: %w", name, err)
			}
		}
	}
	push.SetLimits(all)
	return &limits{store: store, push: push}, nil
}

// Limits returns the numbers.
func (l *limits) Limits() logdb.Limits { return l.push.Limits() }

// SetLimit stores a number and applies it to the pages to come.
func (l *limits) SetLimit(ctx context.Context, name, value string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := l.push.Limits()
	if err := limit.Set(&all, name, value); err != nil {
		return err
	}
	if err := l.store.PutNodeSetting(ctx, limitSetting+name, value); err != nil {
		return err
	}
	l.push.SetLimits(all)
	return nil
}
