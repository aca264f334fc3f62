package daemon

import (
	"context"
	"fmt"

	"metermanager/logdb"
	"metermanager/service/cloud/audit"
	"metermanager/service/cloud/subscription"
)

// openLicences opens what customers pay for.
func (n *node) openLicences(ctx context.Context) error {
	var err error
	n.licences, err = subscription.New(ctx, n.store, subscription.Config{
		Name: n.meterName, Expired: n.licenceOver, SettleEvery: n.options.Seams.LookEvery, Now: n.options.Seams.Now, Logger: n.part("licences"),
	})
	if err != nil {
		return fmt.Errorf("open the subscriptions: %w", err)
	}
	return nil
}

// meterName is what people call a meter; "" when nobody knows.
func (n *node) meterName(ctx context.Context, uid logdb.MeterUID) string {
	s, err := n.logs.Settings(ctx, uid)
	if err != nil {
		return ""
	}
	return s.Name
}

// licenceOver notes that a meter was switched off by itself.
func (n *node) licenceOver(ctx context.Context, m subscription.Meter) {
	n.part("licences").Info("a licence is over: the meter cannot be read", "meter", string(m.UID), "customer", string(m.Customer))
	err := n.store.PutAudit(ctx, audit.Event{
		AtMillis: int64(m.Expires), Customer: string(m.Customer), Actor: "node", Name: "this node", Action: "licence.over", Target: string(m.UID), Outcome: audit.Done,
	})
	if err != nil {
		n.part("licences").Error("store an audit event", "action", "licence.over", "err", err)
	}
}
