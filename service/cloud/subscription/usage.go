package subscription

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"metermanager/logdb"
	"metermanager/rpc/api"
	"metermanager/rpc/fault"
	"metermanager/rpc/permission"
	"metermanager/service/cloud/account"
)

// Days and months are those of UTC: the bill of a customer must not depend on where its meters are.

// dayOf is the number of the day in UTC.
func dayOf(t logdb.Millis) int64 { return int64(t.Floor(dayMillis)) / dayMillis }

const dayMillis = 24 * 60 * 60 * 1000

// monthOf returns the first day of the month of a day, and of the next one.
func monthOf(day int64) (first, next int64) {
	t := time.Unix(day*86400, 0).UTC()
	begin := time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC)
	return begin.Unix() / 86400, begin.AddDate(0, 1, 0).Unix() / 86400
}

// Months is what [from, to) costs in months: each month its share of days, of which one that has begun counts whole. So a meter that
// is enabled in the middle of a month costs the rest of it.
func Months(from, to logdb.Millis) float64 {
	if to <= from {
		return 0
	}
	days := map[int64]bool{}
	addDays(days, from, to)
	return monthsOf(days)
}

// addDays notes the days that [from, to) touches.
func addDays(days map[int64]bool, from, to logdb.Millis) {
	for d := dayOf(from); d <= dayOf(to-1); d++ {
		days[d] = true
	}
}

// monthsOf adds up the shares of months.
func monthsOf(days map[int64]bool) float64 {
	counts := map[int64]int{} // by the first day of the month
	for d := range days {
		first, _ := monthOf(d)
		counts[first]++
	}
	sum := 0.0
	for _, first := range sortedKeys(counts) {
		_, next := monthOf(first)
		sum += float64(counts[first]) / float64(next-first)
	}
	return math.Round(sum*1e4) / 1e4
}

func sortedKeys(m map[int64]int) []int64 {
	out := make([]int64, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// ParseSpan reads a month ("2026-03") or a year ("2026").
func ParseSpan(text string) (from, to logdb.Millis, err error) {
	for layout, months := range map[string]int{"2006-01": 1, "2006": 12} {
		if t, err := time.Parse(layout, text); err == nil && t.Year() >= 1970 && t.Year() < 3000 {
			return logdb.MillisOf(t), logdb.MillisOf(t.AddDate(0, months, 0)), nil
		}
	}
	return 0, 0, fault.New(fault.Invalid, "The period is a month such as 2026-03, or a year such as 2026.").At("period")
}

// errHeld keeps those out who see a part of a customer only: what is paid for is told as a whole.
var errHeld = fault.New(fault.Forbidden, "This is about all meters of the customer, and you see some of them only.")

// CustomerName is a customer of a report; one that was deleted has no name.
type CustomerName struct {
	ID   account.CustomerID
	Name string
}

// UsedBy asks for customers: all, or one with Only.
type UsedBy struct {
	Only     account.CustomerID
	First    account.CustomerID
	From, To logdb.Millis
	Limit    int
}

// UsagePlace is a place in a report: behind a line of a customer. The zero value is its begin.
type UsagePlace struct {
	Customer account.CustomerID
	Line     string
}

// The lines of a customer stand in the order of their names: those of meters, those of extensions, and the end.
const (
	lineMeter     = "0"
	lineExtension = "1"
	lineEnd       = "2"
)

// Report says which meters and extensions of which customers were on in a month or a year, and for how long, in pages of so many lines.
// Customers see their own; only "" and the whole node are for system administrators.
func (s *Service) Report(ctx context.Context, p account.Principal, period string, only account.CustomerID, after UsagePlace, limit int) (api.UsageReport, *UsagePlace, error) {
	if err := account.Allow(p, permission.UsersManage, account.Resource{}); err != nil {
		return api.UsageReport{}, nil, err
	}
	if p.ByFacility || p.Meter != "" {
		return api.UsageReport{}, nil, errHeld
	}
	from, to, err := ParseSpan(period)
	if err != nil {
		return api.UsageReport{}, nil, err
	}
	if after == (UsagePlace{}) {
		if err := s.Settle(ctx); err != nil { // what is on now counts until now
			return api.UsageReport{}, nil, err
		}
	}
	now := s.now()
	page := usagePage{s: s, p: p, now: now, left: limit, at: after}
	page.report = api.UsageReport{Period: period, From: from, To: to, Until: min(to, max(from, now)), Customers: []api.CustomerUsage{}}
	customers, err := s.store.UsedBy(ctx, p.Scope(), UsedBy{Only: only, First: after.Customer, From: from, To: to, Limit: limit + 2})
	if err != nil {
		return api.UsageReport{}, nil, fmt.Errorf("list customers: %w", err)
	}
	for _, c := range customers {
		more, err := page.add(ctx, c)
		if err != nil {
			return api.UsageReport{}, nil, err
		}
		if more {
			return page.report, &page.at, nil
		}
	}
	return page.report, nil, nil
}

// usagePage is a page of a report while it is written.
type usagePage struct {
	s      *Service
	p      account.Principal
	now    logdb.Millis
	report api.UsageReport
	left   int        // lines
	at     UsagePlace // behind the last line
}

// usageLine is how long a meter or an extension was on.
type usageLine struct {
	days        map[int64]bool
	first, last logdb.Millis
}

// add writes the lines of a customer that have room; more tells that something is left for the next page.
func (g *usagePage) add(ctx context.Context, c CustomerName) (more bool, err error) {
	resumed := g.at.Customer == c.ID
	if resumed && g.at.Line == lineEnd {
		return false, nil
	}
	if g.left <= 0 {
		return true, nil
	}
	if !resumed {
		g.at = UsagePlace{Customer: c.ID}
		g.left--
	}
	lines, err := g.lines(ctx, c.ID)
	if err != nil {
		return false, err
	}
	out := api.CustomerUsage{Customer: string(c.ID), Name: c.Name, Meters: []api.MeterUsage{}, Extensions: []api.ExtensionUsage{}}
	for _, key := range slices.Sorted(maps.Keys(lines)) {
		months := monthsOf(lines[key].days)
		if key[:1] == lineMeter {
			out.MeterMonths += months // of all pages
		}
		if key <= g.at.Line || more {
			continue
		}
		if more = g.left <= 0; more {
			continue
		}
		g.left--
		g.at.Line = key
		if err := g.line(ctx, &out, key, lines[key], months); err != nil {
			return false, err
		}
	}
	out.MeterMonths = math.Round(out.MeterMonths*1e4) / 1e4
	if !more {
		g.at.Line = lineEnd
	}
	if !resumed || len(out.Meters)+len(out.Extensions) > 0 {
		g.report.Customers = append(g.report.Customers, out)
	}
	return more, nil
}

// lines adds up the periods of a customer.
func (g *usagePage) lines(ctx context.Context, c account.CustomerID) (map[string]*usageLine, error) {
	periods, err := g.s.store.Periods(ctx, g.p.Scope(), c, g.report.From, g.report.To)
	if err != nil {
		return nil, fmt.Errorf("list periods: %w", err)
	}
	lines := map[string]*usageLine{}
	for _, one := range periods {
		begin, end := max(one.From, g.report.From), min(one.To, g.report.To)
		if one.To == 0 {
			end = min(g.now+1, g.report.To)
		}
		if end <= begin {
			continue
		}
		key := lineMeter + string(one.Meter)
		if one.Extension != "" {
			key = lineExtension + string(one.Extension)
		}
		l := lines[key]
		if l == nil {
			l = &usageLine{days: map[int64]bool{}, first: begin}
			lines[key] = l
		}
		addDays(l.days, begin, end)
		l.first, l.last = min(l.first, begin), max(l.last, end)
	}
	return lines, nil
}

func (g *usagePage) line(ctx context.Context, out *api.CustomerUsage, key string, l *usageLine, months float64) error {
	if key[:1] == lineExtension {
		out.Extensions = append(out.Extensions, api.ExtensionUsage{Name: api.Extension(key[1:]), Days: len(l.days), Months: months})
		return nil
	}
	uid := logdb.MeterUID(key[1:])
	m, err := g.s.store.LicenceMeter(ctx, g.p.Scope(), uid)
	if err != nil && !errors.Is(err, ErrNotFound) { // a meter that the customer gave up since is not in its scope
		return fmt.Errorf("look up a meter: %w", err)
	}
	out.Meters = append(out.Meters, api.MeterUsage{
		Meter: uid, Name: g.s.name(ctx, m, uid), Serial: m.Serial, Days: len(l.days), Months: months, First: l.first, Last: l.last, Expires: m.Expires,
	})
	return nil
}

func (s *Service) name(ctx context.Context, m Meter, uid logdb.MeterUID) string {
	if s.cfg.Name != nil {
		if name := s.cfg.Name(ctx, uid); name != "" {
			return name
		}
	}
	return m.Serial
}

// recently is how long a meter whose date is over is still listed among the renewals.
const recently = 31 * dayMillis

// Due is a meter whose date comes, with the name of its customer.
type Due struct {
	Meter
	CustomerName string
}

// RenewalPlace is the place of a meter among the renewals: those whose date comes first stand first.
type RenewalPlace struct {
	Expires logdb.Millis
	Meter   logdb.MeterUID
}

// Renewals lists so many of the meters whose date comes until the end of the next month, and those whose date was over in the last month,
// behind a place.
func (s *Service) Renewals(ctx context.Context, p account.Principal, after RenewalPlace, limit int) ([]api.Renewal, error) {
	if err := account.Allow(p, permission.UsersManage, account.Resource{}); err != nil {
		return nil, err
	}
	now := s.now()
	_, next := monthOf(dayOf(now))
	_, until := monthOf(next)
	list, err := s.store.Renewals(ctx, p.Scope(), now-recently, logdb.Millis(until*dayMillis), after, limit)
	if err != nil {
		return nil, fmt.Errorf("list meters whose date comes: %w", err)
	}
	out := []api.Renewal{}
	for _, m := range list {
		out = append(out, api.Renewal{
			Meter: m.UID, Name: s.name(ctx, m.Meter, m.UID), Serial: m.Serial, Customer: string(m.Customer), CustomerName: m.CustomerName, Expires: m.Expires, Over: m.Expires <= now,
		})
	}
	return out, nil
}
