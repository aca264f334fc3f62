package cloudsync

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"metermanager/cloudsync/runner"
	"metermanager/logdb"
	"metermanager/rpc/api"
	"metermanager/rpc/fault"
)

// fetchPause is how long a cloud is left alone that says again and again that requests wait.
const fetchPause = 5 * time.Second

// Requests is a Cloud that keeps requests for what was not sent. It cannot call this node: it is asked.
type Requests interface {
	// OpenRequests returns the requests that a manager is to carry out.
	OpenRequests(ctx context.Context) ([]api.FetchRequest, error)
	// ReportRequest says what became of one.
	ReportRequest(ctx context.Context, meter logdb.MeterUID, id string, r api.FetchReport) error
}

// RequestsWait says that a cloud has requests for this node: what its answers tell. It never waits.
func (s *Service) RequestsWait(id DestinationID) {
	s.mu.Lock()
	now := s.now()
	d := s.dests[id]
	if d != nil && d.cache.FetchDue.IsZero() {
		d.cache.FetchDue = now
		if soon := d.cache.Fetched.Add(fetchPause); soon.After(now) {
			d.cache.FetchDue = soon // those that wait may be another manager's
		}
	}
	s.mu.Unlock()
	if d != nil {
		s.poke()
	}
}

// RequestEnded says that a request or an instruction that was passed on has come to its end: the clouds are asked again now. It
// never waits.
func (s *Service) RequestEnded() {
	s.mu.Lock()
	now := s.now()
	for _, d := range s.dests {
		d.cache.FetchDue = now
	}
	s.mu.Unlock()
	s.poke()
}

// Fetch asks the cloud for requests and carries them out; it returns when that is done.
func (l Link) Fetch(ctx context.Context) (api.SyncAction, error) {
	d, err := l.pick(ctx)
	if err != nil {
		return api.SyncAction{}, err
	}
	return l.service.wait(ctx, d, Action{ActionFetch, d.cache.Destination, ""})
}

// fetch asks a cloud for requests and carries them out. A request stays open there until it is reported as done, so
// that one which is interrupted, or whose answer is lost, is simply found again.
func (s *Service) fetch(ctx context.Context, d *destination, cloud Cloud, conf Destination) (string, error) {
	desk, ok := cloud.(Requests)
	if !ok {
		s.fetched(d, false)
		return "the cloud takes no requests", runner.ErrNothing
	}
	var open []api.FetchRequest
	err := runner.Retry(ctx, s.retry(), func(ctx context.Context) (err error) {
		open, err = desk.OpenRequests(ctx)
		return err
	})
	if errors.Is(err, fault.NotFound) || errors.Is(err, fault.MethodNotAllowed) || errors.Is(err, fault.Forbidden) {
		s.fetched(d, false)
		return "the cloud takes no requests of this node", runner.ErrNothing
	}
	if err != nil {
		return "", fmt.Errorf("ask for requests: %w", err)
	}
	var done []string
	unfinished := false
	for _, r := range open {
		text, more, err := s.fetchOne(ctx, d, desk, cloud, conf, r)
		if err != nil {
			s.fetched(d, true)
			return "", fmt.Errorf("carry out request %s: %w", r.ID, err)
		}
		if text != "" {
			done = append(done, text)
		}
		unfinished = unfinished || more
	}
	s.fetched(d, unfinished)
	if len(done) == 0 {
		return "", runner.ErrNothing
	}
	return strings.Join(done, "; "), nil
}

// fetched notes when a cloud was asked for requests, and whether it is to be asked again soon.
func (s *Service) fetched(d *destination, again bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	d.cache.Fetched, d.cache.FetchDue = now, time.Time{}
	if again {
		d.cache.FetchDue = now.Add(s.cfg.RecheckEvery)
	}
}

// fetchOne carries out one request of which this node keeps the journal.
func (s *Service) fetchOne(ctx context.Context, d *destination, desk Requests, cloud Cloud, conf Destination, r api.FetchRequest) (text string, more bool, err error) {
	meter, ok := s.meterAt(d, r.MeterUID)
	if !ok {
		return "", false, nil // another manager's
	}
	if r.Instructs() {
		return s.instruct(ctx, desk, meter.Meter, r)
	}
	kind, err := logdb.ParseKind(r.Kind)
	if err != nil {
		return "", false, nil // of a newer cloud
	}
	head, err := s.logs.Journal(ctx, meter.Meter, kind)
	if err != nil && !errors.Is(err, logdb.ErrNotFound) {
		return "", false, fmt.Errorf("read the journal's head: %w", err)
	}
	// It may travel under another name, or did when somebody asked.
	if own := err == nil && head.ID.Family() == logdb.JournalID(r.Journal).Family(); !own {
		return s.pass(ctx, desk, cloud, conf, meter, kind, r)
	}
	wanted, err := wantedOf(kind, r)
	if err != nil {
		return "", false, desk.ReportRequest(ctx, r.MeterUID, r.ID, api.FetchReport{State: api.FetchFailed, Reason: err.Error()})
	}
	if r.State == api.FetchQueued {
		s.forgive(d.conf.ID)
		if err := desk.ReportRequest(ctx, r.MeterUID, r.ID, api.FetchReport{State: api.FetchTaken}); err != nil {
			return "", true, fmt.Errorf("say that it is taken: %w", err)
		}
	}
	var u *upload
	var found Found
	err = again(func() (err error) {
		u = s.newUpload(conf, cloud, meter, kind, s.cfg.PagesAtOnce)
		found, more, err = u.request(ctx, wanted)
		return err
	})
	if errors.Is(err, errRenewed) {
		return "", false, desk.ReportRequest(ctx, r.MeterUID, r.ID, api.FetchReport{State: api.FetchFailed, Reason: errRenewed.Message})
	}
	if errors.Is(err, fault.Stale) { // later: somebody else sends it at this moment
		return "", true, nil
	}
	if err != nil {
		return "", true, err
	}
	if more {
		return u.sum.String(), true, nil
	}
	report := api.FetchReport{State: api.FetchDone, Cannot: cannotList(found.Cannot)}
	if err := desk.ReportRequest(ctx, r.MeterUID, r.ID, report); err != nil && !errors.Is(err, fault.NotFound) && !errors.Is(err, fault.Conflict) {
		return "", true, fmt.Errorf("say that it is done: %w", err)
	}
	return fmt.Sprintf("request %s: %s", r.ID, u.sum), false, nil
}

// readHere is why a meter that this node reads itself gets no instruction.
const readHere = "the manager reads this meter itself and uploads what it recorded; it does not instruct it"

// instruct passes an instruction on to a meter that posts to this node, and its report back.
func (s *Service) instruct(ctx context.Context, desk Requests, meter logdb.MeterUID, r api.FetchRequest) (text string, more bool, err error) {
	if s.cfg.Instruct == nil {
		return "", false, nil
	}
	own, err := s.reads(ctx, meter)
	if err != nil {
		return "", true, err
	}
	report, ended := api.FetchReport{State: api.FetchFailed, Reason: readHere}, true
	if !own {
		if report, ended, err = s.cfg.Instruct(ctx, meter, r); err != nil {
			return "", true, fmt.Errorf("pass an instruction on: %w", err)
		}
	}
	if report.State == "" || report.State == r.State {
		return "", !ended, nil
	}
	if err := desk.ReportRequest(ctx, r.MeterUID, r.ID, report); err != nil && !errors.Is(err, fault.NotFound) && !errors.Is(err, fault.Conflict) {
		return "", true, fmt.Errorf("say what became of an instruction: %w", err)
	}
	return fmt.Sprintf("instruction %s: %s", r.ID, report.State), !ended, nil
}

// reads reports whether this node keeps a journal of the meter itself.
func (s *Service) reads(ctx context.Context, meter logdb.MeterUID) (bool, error) {
	for _, kind := range logdb.Kinds {
		_, err := s.logs.Journal(ctx, meter, kind)
		if err == nil {
			return true, nil
		}
		if !errors.Is(err, logdb.ErrNotFound) && !errors.Is(err, logdb.ErrUnknownMeter) {
			return false, fmt.Errorf("read the journal's head: %w", err)
		}
	}
	return false, nil
}

// meterAt returns the settings of the meter that a cloud knows under a UID.
func (s *Service) meterAt(d *destination, uid logdb.MeterUID) (MeterConfig, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range d.cache.Meters {
		if m.Config.CloudUID == uid && m.Config.Enabled && m.Config.UploadEnabled {
			return m.Config, true
		}
	}
	return MeterConfig{}, false
}

// wantedOf reads what a request wants.
func wantedOf(kind logdb.Kind, r api.FetchRequest) (Wanted, error) {
	w := Wanted{
		Kinds: []logdb.Kind{kind}, First: r.From, Last: r.To, Only: map[logdb.StreamID]*logdb.FateSet{},
		Skipped: slices.Contains(r.What, api.FetchSkipped), Reduced: slices.Contains(r.What, api.FetchReduced), Full: slices.Contains(r.What, api.FetchFull),
	}
	for _, part := range r.Streams {
		id, err := logdb.ParseStream(part.Stream)
		if err != nil {
			return w, fmt.Errorf("read request %s: %w", r.ID, err)
		}
		set := &logdb.FateSet{}
		for _, f := range part.Positions {
			set.Put(logdb.FateRange{First: f.First, Last: f.Last, Fate: logdb.FateStored})
		}
		w.Only[id] = set
	}
	return w, nil
}
