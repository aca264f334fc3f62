package verify

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"metermanager/logdb"
	"metermanager/rpc/api"
)

// maxRecords bounds the records that are listed of one day; the others are counted.
const maxRecords = 100

func addRecord(d *api.VerifyDay, r api.VerifyRecord) {
	if len(d.Records) < maxRecords {
		d.Records = append(d.Records, r)
	} else {
		d.More++
	}
}

// audited reports what a node found wrong with one of its streams: records that are not as it had written them, and days
// that differ from what it claims to hold. base says which node, meter, kind and stream; count whether its records are
// to be counted as compared, where nothing else is.
func (r *run) audited(ctx context.Context, base api.VerifyDay, audit logdb.Audit, count bool) {
	type place struct {
		place logdb.Place
		key   key
	}
	var order []place
	days := map[place]*api.VerifyDay{}
	at := func(of logdb.Place, k key) *api.VerifyDay {
		p := place{of, k}
		if days[p] == nil {
			d := base
			d.Log, d.Channel, d.Day = k.log, k.channel, k.day
			days[p] = &d
			order = append(order, p)
		}
		return days[p]
	}
	for i, f := range audit.Findings {
		if f.Position > 0 && f.Time == 0 && i < maxNamed {
			r.fromJournal(ctx, &f, base)
		}
		of, k := f.Place, key{f.Log, f.Channel, f.Day}
		switch of {
		case logdb.PlaceEntry:
			k.channel = "" // an event's channel says what it is, not where it is counted
		case logdb.PlaceClaim:
			of = logdb.PlaceValue
			if base.Kind != logdb.KindHistorical.String() {
				of = logdb.PlaceEntry
			}
		}
		d := at(of, k)
		d.Count += max(1, f.Count)
		if d.Reason == "" {
			d.Reason = faultReason(base.Between, f)
		}
		addRecord(d, api.VerifyRecord{
			Place: f.Place, Fault: f.Fault, Position: f.Position, Last: f.Last, Time: f.Time, Channel: f.Channel, Count: f.Count, Here: f.Have, There: f.Want,
		})
	}
	for i := range audit.Days {
		x := &audit.Days[i]
		if x.Lost && x.Data != x.Claim && count {
			d := base
			d.Log, d.Channel, d.Day, d.Here, d.There = x.Log, x.Channel, x.Day, x.Data.Count, x.Claim.Count
			d.Count, d.Reason = x.Claim.Count-x.Data.Count, ReasonLost
			r.add(d, StateNotComparable)
			r.report.Compared += x.Data.Count
			continue
		}
		if x.Data == x.Claim || !x.Full {
			if count {
				r.report.Compared += x.Claim.Count
			}
			continue
		}
		of := logdb.PlaceValue
		if base.Kind != logdb.KindHistorical.String() {
			of = logdb.PlaceEntry
		}
		d := at(of, key{x.Log, x.Channel, x.Day})
		d.Here, d.There, d.Reason = x.Data.Count, x.Claim.Count, claimReason(who(base.Between), *x)
	}
	slices.SortStableFunc(order, func(a, b place) int { return compareKeys(a.key, b.key) })
	for _, p := range order {
		r.different(*days[p])
	}
	if audit.More > 0 {
		d := base
		d.Count, d.Reason = audit.More, fmt.Sprintf("%d more findings are not listed", audit.More)
		r.different(d)
	}
}

// fromJournal fills in log and time of a finding that knows its position only, where that is one of this node's own journal.
func (r *run) fromJournal(ctx context.Context, f *logdb.Finding, base api.VerifyDay) {
	if r.own.Journal == "" || base.Stream != "" && !strings.HasPrefix(base.Stream, string(r.own.Journal)+":") {
		return
	}
	kind, err := logdb.ParseKind(base.Kind)
	if err != nil {
		return
	}
	page, err := r.logs.ReadStream(ctx, base.Meter, kind, r.own, f.Position, 1)
	if err != nil {
		return // what cannot be read is a finding of its own
	}
	for i := range page.Rows {
		page.Entries = append(page.Entries, page.Rows[i].Entry(0))
	}
	for _, e := range page.Entries {
		if e.Position == f.Position {
			f.Log, f.Time, f.Day = e.Log, e.Time, e.Time.Day()
		}
	}
}

func who(between string) string {
	if between == CloudClaim {
		return "the cloud"
	}
	return "this node"
}

// faultReason says in words what a finding means.
func faultReason(between string, f logdb.Finding) string {
	name := who(between)
	switch f.Place {
	case logdb.PlaceTier:
		return name + "'s hour tier is not the sum of its values"
	case logdb.PlaceFate:
		return name + " has other fates than were decided"
	case logdb.PlaceRaw:
		return name + " does not hold the meter's own bytes as they were read"
	case logdb.PlaceOpen:
		return name + " does not hold the waiting start of an event as it was read"
	case logdb.PlaceChain:
		return name + "'s running hash of the journal is not the one that was written"
	case logdb.PlaceIndex:
		return name + " would not find these values by time or position, or cannot read them"
	case logdb.PlaceRange:
		return name + " states another count or range of a series"
	case logdb.PlaceContent:
		return name + " has other contents to know repeats by than it had seen"
	case logdb.PlaceDecision:
		return name + " does not hold what it decided to send"
	}
	switch f.Fault {
	case logdb.FaultMissing:
		return name + " has lost records that it had stored"
	case logdb.FaultExtra:
		return name + " holds records that it never stored"
	}
	return name + " holds other records than it had stored"
}

// restoreCloud is what to do about a cloud that holds what nobody sent, or has lost what it calls decided.
const restoreCloud = "put back a backup of the cloud's logs.db: the site then sends what came later"

// advice says what can be done about a day that differs.
func advice(d *api.VerifyDay) string {
	const again = "have the cloud forget the day of this stream (POST .../logs/%s/forget), then upload: it is sent again"
	derived := len(d.Records) > 0
	for _, r := range d.Records {
		derived = derived && (r.Place == logdb.PlaceTier || r.Place == logdb.PlaceRange)
	}
	switch {
	case derived:
		return "the records themselves are whole; put back a backup of the database, or go on with sums that are wrong there"
	case d.Between == CloudClaim && len(d.Records) > 0 && d.Records[0].Place == logdb.PlaceFate:
		return restoreCloud
	case lostThere(d):
		return restoreCloud // only what is there can be forgotten
	case d.Between == CloudClaim, d.Between == SiteCloud && d.There <= d.Here:
		return fmt.Sprintf(again, d.Kind)
	case d.Between == SiteCloud:
		return "this node lacks what the cloud holds: put back a backup of this node's logs.db, and verify again before it uploads"
	case d.Between == MeterSite:
		return "read the meter's log with its own software and keep it; the stored records are not changed by verify"
	}
	return "put back a backup of this node's logs.db, or read the record at the cloud or in the meter and enter it as a correction"
}

// lostThere reports whether the cloud lacks a record, or cannot read it, that its sets call stored.
func lostThere(d *api.VerifyDay) bool {
	lost := logdb.FaultMissing // of the cloud's own claim
	if d.Between == SiteCloud {
		if d.There < d.Here {
			return true
		}
		lost = logdb.FaultExtra // as seen from here
	}
	return (d.Between == SiteCloud || d.Between == CloudClaim) && slices.ContainsFunc(d.Records, func(r api.VerifyRecord) bool { return r.Fault == lost })
}
