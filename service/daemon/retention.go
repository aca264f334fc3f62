package daemon

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"metermanager/logdb"
	"metermanager/logdb/retain"
	"metermanager/logdb/sqlite"
	"metermanager/service/cloud/account"
	"metermanager/service/cloud/registry"
	"metermanager/service/metadb"
)

// retention is how long data stay where: ages that are kept, by customer, and the runner that applies them.
type retention struct {
	*retain.Runner
	store *metadb.Cloud
	logs  *sqlite.Store
	mu    sync.Mutex // held from reading the ages to storing one
}

// retentionSetting begins the name of an age that holds by default; of one of a customer, @ and the id end it.
const retentionSetting = "retention."

func retentionKey(name string, customer account.CustomerID) string {
	if customer == "" {
		return retentionSetting + name
	}
	return retentionSetting + name + "@" + string(customer)
}

// openRetention takes up the ages that were set.
func (n *node) openRetention(context.Context) error {
	r := &retention{store: n.store, logs: n.logs}
	now := n.options.Seams.Aging
	if now == nil {
		now = n.options.Seams.Now
	}
	r.Runner = retain.New(n.logs, retain.Config{RulesOf: r.rulesOf, Now: now, Logger: n.part("retention")})
	n.retention = r
	return nil
}

// Rules returns the ages of a customer, those that hold by default for "".
func (r *retention) Rules(ctx context.Context, customer account.CustomerID) (retain.Rules, error) {
	settings, err := r.store.NodeSettings(ctx)
	if err != nil {
		return retain.Rules{}, err
	}
	return rulesIn(settings, customer)
}

func rulesIn(settings map[string]string, customer account.CustomerID) (retain.Rules, error) {
	rules, owners := retain.Default(), []account.CustomerID{""}
	if customer != "" {
		owners = append(owners, customer)
	}
	for _, owner := range owners {
		by := rules
		for _, name := range retain.Names() {
			if value, ok := settings[retentionKey(name, owner)]; ok {
				if err := rules.Set(name, value, by); err != nil {
					return rules, fmt.Errorf("take up the age %s: %w", name, err)
				}
			}
		}
	}
	return rules, nil
}

// SetRule stores an age and applies it from the next pass on. Ages that do not go together are refused, those of customers with ages of
// their own included.
func (r *retention) SetRule(ctx context.Context, customer account.CustomerID, name, value string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if customer != "" {
		if _, err := r.store.Customer(ctx, account.NodeScope(), customer); err != nil {
			return err
		}
	}
	if err := new(retain.Rules).Set(name, value, retain.Default()); err != nil {
		return err
	}
	settings, err := r.store.NodeSettings(ctx)
	if err != nil {
		return err
	}
	settings[retentionKey(name, customer)] = value
	owners := map[account.CustomerID]bool{customer: true}
	for key := range settings {
		for _, name := range retain.Names() {
			if prefix := retentionKey(name, "") + "@"; len(key) > len(prefix) && key[:len(prefix)] == prefix {
				owners[account.CustomerID(key[len(prefix):])] = true
			}
		}
	}
	for owner := range owners {
		rules, err := rulesIn(settings, owner)
		if err == nil {
			err = rules.Check()
		}
		if err != nil && owner != customer {
			return fmt.Errorf("with the ages of customer %s: %w", owner, err)
		}
		if err != nil {
			return err
		}
	}
	return r.store.PutNodeSetting(ctx, retentionKey(name, customer), value)
}

// rulesOf returns the ages of a meter's customer.
func (r *retention) rulesOf(ctx context.Context, meter logdb.MeterUID) (retain.Rules, error) {
	m, err := r.store.Meter(ctx, account.NodeScope(), meter)
	if err != nil && !errors.Is(err, registry.ErrNotFound) {
		return retain.Rules{}, err
	}
	return r.Rules(ctx, m.Customer) // nobody's: as by default
}

// ArchiveFiles lists the files of the archive.
func (r *retention) ArchiveFiles(ctx context.Context, meter logdb.MeterUID) ([]logdb.ArchiveFile, error) {
	return r.logs.ArchiveFiles(ctx, meter)
}

// AcceptLoss takes an archive file out of use that is missing or damaged.
func (r *retention) AcceptLoss(ctx context.Context, name, by, why string) (logdb.Loss, error) {
	return r.logs.AcceptLoss(ctx, name, by, why)
}

// Losses lists the losses that were accepted.
func (r *retention) Losses(ctx context.Context, meter logdb.MeterUID) ([]logdb.Loss, error) {
	return r.logs.Losses(ctx, meter)
}

// warnings says what needs somebody's action.
func (r *retention) warnings() (out []string) {
	s := r.Status()
	for _, fault := range s.Faults {
		out = append(out, "The archive is damaged: "+fault+".")
	}
	if s.Failed > 0 && !s.Running {
		out = append(out, fmt.Sprintf("Old data of %d meters could not be moved into the archive; the first: %s.", s.Failed, s.Errors[0]))
	}
	return out
}
