package verify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"metermanager/cloudsync/reduce"
	"metermanager/logdb"
	"metermanager/rpc/api"
)

// The values of api.VerifyDay.Between and State.
const (
	MeterSite  = "meter-site"  // the meter's memory and the journal
	SiteClaim  = "site-claim"  // this node's data and the claim kept apart from them
	SiteCloud  = "site-cloud"  // what was sent and what the cloud holds
	CloudClaim = "cloud-claim" // the cloud's data and its claim

	StatePending       = "pending"
	StateDifferent     = "different"
	StateNotComparable = "not_comparable"
)

// Site tells what was decided about a journal for the cloud; ok is false where nothing is uploaded.
type Site interface {
	View(ctx context.Context, meter logdb.MeterUID, kind logdb.Kind) (view reduce.View, ok bool, err error)
}

// DecisionSite is a Site that can tell which of its decisions are not as they were made.
type DecisionSite interface {
	Decisions(ctx context.Context, meter logdb.MeterUID, kind logdb.Kind) ([]logdb.Finding, error)
}

// Cloud answers with the receiver's sets and digests.
type Cloud interface {
	Streams(ctx context.Context, meter logdb.MeterUID, kind logdb.Kind) ([]logdb.StreamState, error)
	Digests(ctx context.Context, meter logdb.MeterUID, kind logdb.Kind, stream logdb.StreamID) ([]logdb.DayDigest, error)
}

// PageReader is a Cloud that can also be asked for what a stream holds of a range: then the
// report names the records that differ.
type PageReader interface {
	HistoryPages(ctx context.Context, meter logdb.MeterUID, q api.HistoryQuery) (api.Pages, error)
	EventPages(ctx context.Context, meter logdb.MeterUID, q api.EventsQuery) (api.Pages, error)
}

// MeterChecker compares a meter's memory with the journal, up to the mark of its retrieval.
type MeterChecker interface {
	CheckMeter(ctx context.Context, meter logdb.MeterUID, kind logdb.Kind) (api.VerifyReport, error)
}

// Config of Run. The zero value compares everything that can be compared.
type Config struct {
	Meters []logdb.MeterUID // nil: all of the log database
	Kinds  []logdb.Kind     // nil: all
	// Cloud is the receiver; nil: there is none. Name is its name, for the report.
	Cloud Cloud
	Name  string
	// CloudOnly leaves out what concerns this node alone: it was compared before.
	CloudOnly bool
	// Meter checks the meters themselves; nil: they are not asked.
	Meter MeterChecker
	Now   func() time.Time
}

// run is one comparison under way.
type run struct {
	site   Site
	logs   logdb.Source
	cfg    Config
	report api.VerifyReport
	name   string         // of the meter at hand
	own    logdb.StreamID // its own journal of the kind at hand
	// ends is how far the receiver knows the journal of each stream.
	ends map[logdb.StreamID]logdb.Position
}

// Run compares and reports. An error means that it could not be done; differences are no error.
func Run(ctx context.Context, site Site, logs logdb.Source, cfg Config) (api.VerifyReport, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Kinds == nil {
		cfg.Kinds = logdb.Kinds[:]
	}
	r := &run{site: site, logs: logs, cfg: cfg, report: api.VerifyReport{Clouds: []string{}, Days: []api.VerifyDay{}}, ends: map[logdb.StreamID]logdb.Position{}}
	r.report.At = cfg.Now().UnixMilli()
	if cfg.Cloud != nil {
		r.report.Clouds = append(r.report.Clouds, cfg.Name)
	}
	if cfg.Meters == nil {
		meters, err := logs.Meters(ctx)
		if err != nil {
			return r.report, fmt.Errorf("list the meters: %w", err)
		}
		cfg.Meters = meters
	}
	for _, meter := range cfg.Meters {
		r.name = ""
		if settings, err := logs.Settings(ctx, meter); err == nil {
			r.name = settings.Name
		} else if !errors.Is(err, logdb.ErrUnknownMeter) {
			return r.report, fmt.Errorf("read the settings of meter %s: %w", meter, err)
		}
		for _, kind := range cfg.Kinds {
			if err := r.compare(ctx, meter, kind); err != nil {
				return r.report, fmt.Errorf("verify %s of meter %s: %w", kind, meter, err)
			}
		}
	}
	return r.report, nil
}

func (r *run) compare(ctx context.Context, meter logdb.MeterUID, kind logdb.Kind) error {
	if r.cfg.Meter != nil {
		part, err := r.cfg.Meter.CheckMeter(ctx, meter, kind)
		if err != nil {
			return fmt.Errorf("compare the meter's memory: %w", err)
		}
		r.merge(part)
	}
	view, ok, err := r.site.View(ctx, meter, kind)
	if err != nil {
		return err
	}
	if r.own = (logdb.StreamID{}); view.Head.ID != "" {
		r.own = logdb.StreamID{Journal: view.Head.ID, Policy: "0"}
	}
	uploads, before := ok && r.cfg.Cloud != nil, r.report.Different
	there, relays, err := r.relays(ctx, meter)
	if err != nil {
		return err
	}
	if !r.cfg.CloudOnly {
		if err := r.claims(ctx, meter, kind, !uploads && !relays); err != nil {
			return err
		}
	}
	if relays {
		if err := r.relayed(ctx, meter, there, kind); err != nil {
			return err
		}
	}
	if !uploads {
		if r.cfg.Cloud != nil && view.Head.End > 0 {
			r.add(api.VerifyDay{
				Meter: meter, Between: SiteCloud, Kind: kind.String(), Count: int64(view.Head.End),
				Reason: "this meter does not upload there: it is switched off for this cloud, or not registered yet",
			}, StateNotComparable)
		}
		return nil
	}
	err = r.cloud(ctx, view)
	if err != nil && ctx.Err() == nil && r.report.Different > before {
		// The damage that the claims show is also why the journal cannot be read: the report
		// that names it must not be lost.
		r.add(api.VerifyDay{
			Meter: meter, Between: SiteCloud, Kind: kind.String(), Count: int64(view.Head.End), Reason: "it could not be compared: " + err.Error(),
		}, StateNotComparable)
		return nil
	}
	return err
}

func (r *run) merge(o api.VerifyReport) {
	for i := range o.Days {
		if d := &o.Days[i]; d.Name == "" {
			d.Name = r.name
		}
	}
	r.report.Add(o)
}

// claims compares this node's own data with the claims kept apart from them. count says
// whether its records are to be counted as compared, where nothing else is compared.
func (r *run) claims(ctx context.Context, meter logdb.MeterUID, kind logdb.Kind, count bool) error {
	base := api.VerifyDay{Meter: meter, Between: SiteClaim, Kind: kind.String()}
	auditor, _ := r.logs.(logdb.Auditor)
	before := r.report.Different
	if auditor != nil {
		strays, err := auditor.Audit(ctx, meter, kind, logdb.StreamID{})
		if err != nil {
			return fmt.Errorf("look for what belongs to no stream: %w", err)
		}
		r.audited(ctx, base, strays, false)
	}
	streams, err := r.logs.Streams(ctx, meter, kind)
	switch {
	case errors.Is(err, logdb.ErrNotFound) || errors.Is(err, logdb.ErrUnknownMeter):
		streams = nil
	case err != nil && ctx.Err() == nil && r.report.Different > before:
		return nil // what was found is why they cannot be listed
	case err != nil:
		return fmt.Errorf("list the streams here: %w", err)
	}
	for _, st := range streams {
		if st.Own {
			r.own = st.Stream
		}
	}
	if site, ok := r.site.(DecisionSite); ok {
		found, err := site.Decisions(ctx, meter, kind)
		if err != nil {
			return fmt.Errorf("look at what was decided: %w", err)
		}
		r.audited(ctx, base, logdb.Audit{Findings: found}, false)
	}
	for _, st := range streams {
		var audit logdb.Audit
		if auditor != nil {
			audit, err = auditor.Audit(ctx, meter, kind, st.Stream)
		} else {
			audit.Days, err = r.logs.Digests(ctx, meter, kind, st.Stream)
		}
		if err != nil {
			return fmt.Errorf("compute the digests of stream %s: %w", st.Stream, err)
		}
		base.Stream = st.Stream.String()
		r.audited(ctx, base, audit, count)
	}
	return nil
}

func claimReason(who string, d logdb.DayDigest) string {
	switch {
	case d.Data.Count < d.Claim.Count:
		return who + " has lost records that it had stored"
	case d.Data.Count > d.Claim.Count:
		return who + " holds records that it never stored"
	}
	return who + " holds other values than it had stored"
}

// different adds a day that differs; Count is how many records at least.
func (r *run) different(d api.VerifyDay) {
	if d.Count == 0 {
		d.Count = max(d.Here-d.There, d.There-d.Here, 1)
	}
	d.Name, d.State = r.name, StateDifferent
	if d.Advice == "" {
		d.Advice = advice(&d)
	}
	if d.Between == SiteCloud || d.Between == CloudClaim {
		d.Cloud = r.cfg.Name
	}
	r.report.Different += d.Count
	r.report.Days = append(r.report.Days, d)
}

func (r *run) add(d api.VerifyDay, state string) {
	d.Name, d.State = r.name, state
	if d.Between == SiteCloud || d.Between == CloudClaim {
		d.Cloud = r.cfg.Name
	}
	if state == StatePending {
		r.report.Pending += d.Count
	} else {
		r.report.NotComparable += d.Count
	}
	r.report.Days = append(r.report.Days, d)
}

// key names a day of a series, or of a log of events.
type key struct {
	log     logdb.LogNo
	channel logdb.ChannelKey
	day     logdb.Millis
}

func sortKeys(keys []key) { slices.SortFunc(keys, compareKeys) }

func compareKeys(a, b key) int {
	switch {
	case a.day != b.day:
		return int((a.day - b.day) / logdb.DayMillis)
	case a.log != b.log:
		return int(a.log) - int(b.log)
	}
	return strings.Compare(string(a.channel), string(b.channel))
}
