package subscription

import (
	"cmp"
	"context"
	"fmt"
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

// Report says which meters and extensions of which customers were on in a month or a year, and for how long. Customers see their own;
// only "" and the whole node are for system administrators.
func (s *Service) Report(ctx context.Context, p account.Principal, period string, only account.CustomerID) (api.UsageReport, error) {
	if err := account.Allow(p, permission.UsersManage, account.Resource{}); err != nil {
		return api.UsageReport{}, err
	}
	if p.ByFacility || p.Meter != "" {
		return api.UsageReport{}, errHeld
	}
	from, to, err := ParseSpan(period)
	if err != nil {
		return api.UsageReport{}, err
	}
	if err := s.Settle(ctx); err != nil { // what is on now counts until now
		return api.UsageReport{}, err
	}
	periods, err := s.store.Periods(ctx, p.Scope(), from, to)
	if err != nil {
		return api.UsageReport{}, fmt.Errorf("list periods: %w", err)
	}
	names, err := s.store.CustomerNames(ctx, p.Scope())
	if err != nil {
		return api.UsageReport{}, fmt.Errorf("list customers: %w", err)
	}
	now := s.now()
	out := api.UsageReport{Period: period, From: from, To: to, Until: min(to, max(from, now)), Customers: []api.CustomerUsage{}}
	meters, err := s.meters(ctx, p.Scope())
	if err != nil {
		return api.UsageReport{}, err
	}
	type line struct {
		days        map[int64]bool
		first, last logdb.Millis
	}
	lines := map[account.CustomerID]map[string]*line{} // by meter, or "+" and extension
	for _, one := range periods {
		if only != "" && one.Customer != only {
			continue
		}
		begin, end := max(one.From, from), min(one.To, to)
		if one.To == 0 {
			end = min(now+1, to)
		}
		if end <= begin {
			continue
		}
		if lines[one.Customer] == nil {
			lines[one.Customer] = map[string]*line{}
		}
		key := string(one.Meter)
		if one.Extension != "" {
			key = "+" + string(one.Extension)
		}
		l := lines[one.Customer][key]
		if l == nil {
			l = &line{days: map[int64]bool{}, first: begin}
			lines[one.Customer][key] = l
		}
		addDays(l.days, begin, end)
		l.first, l.last = min(l.first, begin), max(l.last, end)
	}
	for id, name := range names {
		if _, used := lines[id]; !used && (only == "" || id == only) {
			out.Customers = append(out.Customers, api.CustomerUsage{Customer: string(id), Name: name, Meters: []api.MeterUsage{}, Extensions: []api.ExtensionUsage{}})
		}
	}
	for id, of := range lines {
		c := api.CustomerUsage{Customer: string(id), Name: names[id], Meters: []api.MeterUsage{}, Extensions: []api.ExtensionUsage{}}
		for key, l := range of {
			months := monthsOf(l.days)
			if key[0] == '+' {
				c.Extensions = append(c.Extensions, api.ExtensionUsage{Name: api.Extension(key[1:]), Days: len(l.days), Months: months})
				continue
			}
			m := meters[logdb.MeterUID(key)]
			c.Meters = append(c.Meters, api.MeterUsage{
				Meter: logdb.MeterUID(key), Name: s.name(ctx, m, logdb.MeterUID(key)), Serial: m.Serial, Days: len(l.days), Months: months, First: l.first, Last: l.last, Expires: m.Expires,
			})
			c.MeterMonths += months
		}
		c.MeterMonths = math.Round(c.MeterMonths*1e4) / 1e4
		slices.SortFunc(c.Meters, func(a, b api.MeterUsage) int { return cmp.Compare(a.Meter, b.Meter) })
		slices.SortFunc(c.Extensions, func(a, b api.ExtensionUsage) int { return cmp.Compare(a.Name, b.Name) })
		out.Customers = append(out.Customers, c)
	}
	slices.SortFunc(out.Customers, func(a, b api.CustomerUsage) int { return cmp.Compare(a.Customer, b.Customer) })
	return out, nil
}

func (s *Service) meters(ctx context.Context, scope account.Scope) (map[logdb.MeterUID]Meter, error) {
	list, err := s.store.LicenceMeters(ctx, scope)
	if err != nil {
		return nil, fmt.Errorf("list meters: %w", err)
	}
	out := map[logdb.MeterUID]Meter{}
	for _, m := range list {
		out[m.UID] = m
	}
	return out, nil
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

// Renewals lists the meters whose date comes until the end of the next month, and those whose date was over in the last month.
func (s *Service) Renewals(ctx context.Context, p account.Principal) ([]api.Renewal, error) {
	if err := account.Allow(p, permission.UsersManage, account.Resource{}); err != nil {
		return nil, err
	}
	list, err := s.store.LicenceMeters(ctx, p.Scope())
	if err != nil {
		return nil, fmt.Errorf("list meters: %w", err)
	}
	names, err := s.store.CustomerNames(ctx, p.Scope())
	if err != nil {
		return nil, fmt.Errorf("list customers: %w", err)
	}
	now := s.now()
	_, next := monthOf(dayOf(now))
	_, until := monthOf(next)
	out := []api.Renewal{}
	for _, m := range list {
		if m.Customer == "" || m.Removed != 0 || m.Expires == 0 || m.Expires >= logdb.Millis(until*dayMillis) || m.Expires < now-recently {
			continue
		}
		out = append(out, api.Renewal{
			Meter: m.UID, Name: s.name(ctx, m, m.UID), Serial: m.Serial, Customer: string(m.Customer), CustomerName: names[m.Customer], Expires: m.Expires, Over: m.Expires <= now,
		})
	}
	slices.SortFunc(out, func(a, b api.Renewal) int {
		return cmp.Or(cmp.Compare(a.Expires, b.Expires), cmp.Compare(a.Meter, b.Meter))
	})
	return out, nil
}
