package cloudsync

import (
	"context"
	"errors"
	"fmt"

	"metermanager/cloudsync/reduce"
	"metermanager/cloudsync/runner"
	"metermanager/logdb"
)

// UploadRequested sends, beside what is missing, the events and recordings with first <= time < last that
// limits had skipped, here or at the cloud. Zero last means no end. Reduced rows are not sent again.
func (l Link) UploadRequested(ctx context.Context, meter logdb.MeterUID, first, last logdb.Millis) (Sum, error) {
	var sum Sum
	if _, err := l.UploadMeter(ctx, meter); err != nil {
		return sum, err
	}
	d, err := l.pick(ctx)
	if err != nil {
		return sum, err
	}
	s := l.service
	if last == 0 {
		last = logdb.MaxTime
	}
	a := Action{ActionUpload, d.cache.Destination, meter}
	job := s.action(d, a)
	job.Key, job.Params["requested"] = fmt.Sprintf("%s requested %d %d", job.Key, first, last), "true"
	job.Do = func(ctx context.Context) (string, error) {
		sum = Sum{}
		cloud, conf, err := s.client(d)
		if err != nil {
			return "", err
		}
		meterConf, err := l.Meter(ctx, meter)
		if err != nil {
			return "", err
		}
		for _, kind := range logdb.Kinds {
			budget := 1 << 30
			u := &upload{
				s: s, dest: conf, cloud: cloud, conf: meterConf, kind: kind, budget: &budget,
				key: StreamKey{Destination: conf.ID, Meter: meter, Kind: kind},
			}
			if err := u.request(ctx, first, last); err != nil {
				return sum.String(), err
			}
			sum.add(u.sum)
		}
		if sum == (Sum{}) {
			return "", runner.ErrNothing
		}
		return sum.String(), nil
	}
	rec, err := d.queue.Do(ctx, job)
	if err != nil {
		return sum, err
	}
	if rec.Outcome == runner.Failed {
		return sum, rec.Err
	}
	return sum, nil
}

// request sends what was skipped in the range, and notes it as stored once the receiver has it.
func (u *upload) request(ctx context.Context, first, last logdb.Millis) (err error) {
	if u.head, err = u.s.logs.Journal(ctx, u.key.Meter, u.kind); errors.Is(err, logdb.ErrNotFound) {
		return nil
	} else if err != nil {
		return fmt.Errorf("read the journal's head: %w", err)
	}
	if err := u.ask(ctx); err != nil {
		return err
	}
	if err := u.own(ctx); err != nil {
		return err
	}
	for _, name := range cutNames(u.streams) {
		cut, stored := cutOf(u.streams, name)
		if len(stored) == 0 {
			continue
		}
		for _, st := range stored {
			if err := u.requestStream(ctx, cut, st, first, last); err != nil {
				return err
			}
		}
	}
	return nil
}

func (u *upload) requestStream(ctx context.Context, cut *reduce.Cut, st *StoredStream, first, last logdb.Millis) error {
	var wanted [][2]logdb.Position
	for _, r := range u.received(st.ID).Ranges() {
		if r.Fate != logdb.FateSkipped || r.Reason == SizeReason || r.LastTime < first || r.FirstTime >= last {
			continue
		}
		for p := r.First; p <= r.Last; p++ {
			e, err := u.j.Entry(ctx, p)
			if errors.Is(err, logdb.ErrNotFound) || err == nil && (e.Time < first || e.Time >= last || e.Op == logdb.OpSkip) {
				continue
			}
			if err != nil {
				return err
			}
			wanted = append(wanted, [2]logdb.Position{p, p})
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	var stored logdb.FateSet
	for _, w := range wanted {
		if here, ok := st.Fates.At(w[0]); !ok || reduce.Wire(here).Fate != logdb.FateStored {
			stored.Put(logdb.FateRange{First: w[0], Last: w[0], Fate: logdb.FateStored})
		}
	}
	for _, r := range stored.Ranges() {
		st.Fates.Put(r)
	}
	composer := reduce.NewComposer(u.conf.CloudUID, u.kind, cut, u.j, reduce.Config{PageBytes: u.s.cfg.PageBytes})
	err := composer.Pages(ctx, &st.Stream, wanted, func(page *logdb.Page) error {
		page.JournalEnd, page.Chain, page.Requested = u.head.End, u.head.Chain, true
		return u.push(ctx, page)
	})
	if err != nil || u.unsure || stored.Len() == 0 {
		return err // what is not certain stays as it was decided
	}
	return u.s.store.Decide(ctx, u.key, st, reduce.Decision{Fates: stored, State: st.State}, logdb.JournalHead{End: st.End, Chain: st.Chain})
}
