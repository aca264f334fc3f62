package cloudsync

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"metermanager/logdb"
	"metermanager/logdb/limit"
	"metermanager/rpc/api"
)

// Skipped tells, for each cloud and stream, what of a journal does not travel: skipped by the limits of this node or
// of the cloud, reduced into another row, or held. It is what was decided, and what the cloud answered last.
func (s *Service) Skipped(ctx context.Context, meter logdb.MeterUID, kind logdb.Kind) ([]api.SkippedPart, error) {
	if err := s.load(ctx); err != nil {
		return nil, err
	}
	head, err := s.logs.Journal(ctx, meter, kind)
	if errors.Is(err, logdb.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the journal's head: %w", err)
	}
	list := s.destinations()
	slices.SortFunc(list, func(a, b *destination) int { return cmp.Compare(a.id, b.id) })
	var out []api.SkippedPart
	for _, d := range list {
		key := StreamKey{Destination: d.id, Meter: meter, Kind: kind, Journal: head.ID}
		if key.Destination, err = s.store.Owner(ctx, key); err != nil { // clouds that are sent the same share streams
			return nil, err
		}
		streams, err := s.store.Streams(ctx, key)
		if err != nil {
			return nil, err
		}
		for _, st := range streams {
			part := api.SkippedPart{Cloud: d.name, Stream: st.ID}
			if part.Cloud == "" {
				part.Cloud = "cloud"
			}
			for _, r := range st.Fates.Ranges() {
				if r.Fate == logdb.FateSkipped || r.Fate == logdb.FateReduced || r.Fate == logdb.FateHeld {
					part.Fates.Put(r)
				}
			}
			for _, r := range st.Refused.Ranges() {
				if by, name := limit.Who(r.Reason); by != limit.ByReceiver { // of an older cloud
					r.Reason = limit.Refused(name)
				}
				part.Fates.Put(r)
			}
			if part.Fates.Len() > 0 {
				out = append(out, part)
			}
		}
	}
	return out, nil
}
