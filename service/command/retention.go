package command

import (
	"context"
	"errors"

	"metermanager/logdb"
	"metermanager/logdb/retain"
	"metermanager/rpc/api"
	"metermanager/rpc/fault"
	"metermanager/service/cloud/account"
)

// Retention keeps how long data stay where, and applies it.
type Retention interface {
	// Rules returns the ages of a customer; those that hold by default for "".
	Rules(ctx context.Context, customer account.CustomerID) (retain.Rules, error)
	// SetRule changes one age; account.ErrNotFound for a customer that is not there.
	SetRule(ctx context.Context, customer account.CustomerID, name, value string) error
	Status() retain.Status
	// Soon has a pass begin at once, Pass makes one.
	Soon()
	Pass(ctx context.Context, only ...logdb.MeterUID) error
	ArchiveFiles(ctx context.Context, meter logdb.MeterUID) ([]logdb.ArchiveFile, error)
}

// RetentionHandlers are the commands of how long data stay where.
func RetentionHandlers(r Retention) Handlers {
	c := retentionCommands{r}
	return Handlers{
		api.CmdRetentionGet: Bind(c.get), api.CmdRetentionSet: Bind(c.set), api.CmdRetentionRun: Bind(c.run), api.CmdRetentionStatus: Bind(c.status),
	}
}

type retentionCommands struct{ of Retention }

type retentionArgs struct {
	Customer account.CustomerID `json:"customer"`
	Name     string             `json:"name"`
	Value    string             `json:"value"`
}

// retentionAnswer is the ages by name, as retention.set takes them.
type retentionAnswer struct {
	Customer account.CustomerID `json:"customer,omitempty"`
	Ages     map[string]string  `json:"ages"`
}

func (c retentionCommands) get(ctx context.Context, p account.Principal, a retentionArgs) (retentionAnswer, error) {
	if a.Customer != "" && a.Customer != p.Customer && !p.System() {
		return retentionAnswer{}, fault.New(fault.Forbidden, "These are the ages of another customer.")
	}
	rules, err := c.of.Rules(ctx, a.Customer)
	if err != nil {
		return retentionAnswer{}, err
	}
	out := retentionAnswer{Customer: a.Customer, Ages: map[string]string{}}
	for _, name := range retain.Names() {
		out.Ages[name] = rules.Text(name)
	}
	return out, nil
}

func (c retentionCommands) set(ctx context.Context, p account.Principal, a retentionArgs) (retentionAnswer, error) {
	err := c.of.SetRule(ctx, a.Customer, a.Name, a.Value)
	if errors.Is(err, retain.ErrRules) {
		return retentionAnswer{}, fault.Wrap(fault.Invalid, "That is no age: "+err.Error()+".", err).At("value").
			WithHint("Months or years such as 6mo or 2y, forever, or default; each rung lasts at least as long as the one above. See: rpc retention.get")
	}
	if errors.Is(err, account.ErrNotFound) {
		return retentionAnswer{}, fault.Wrap(fault.NotFound, "There is no such customer.", err).At("customer")
	}
	if err != nil {
		return retentionAnswer{}, err
	}
	return c.get(ctx, p, a)
}

type retentionRunArgs struct {
	Meter logdb.MeterUID `json:"meter"`
	Wait  bool           `json:"wait"`
}

func (c retentionCommands) run(ctx context.Context, p account.Principal, a retentionRunArgs) (api.RetentionStatus, error) {
	switch {
	case a.Meter != "":
		if err := c.of.Pass(ctx, a.Meter); err != nil {
			return api.RetentionStatus{}, err
		}
	case a.Wait:
		if err := c.of.Pass(ctx); err != nil {
			return api.RetentionStatus{}, err
		}
	default:
		c.of.Soon()
	}
	return c.status(ctx, p, retentionRunArgs{Meter: a.Meter})
}

func (c retentionCommands) status(ctx context.Context, _ account.Principal, a retentionRunArgs) (api.RetentionStatus, error) {
	files, err := c.of.ArchiveFiles(ctx, a.Meter)
	if err != nil {
		return api.RetentionStatus{}, err
	}
	out := retentionStatus(c.of.Status())
	for _, f := range files {
		n := len(out.Archive)
		if n == 0 || out.Archive[n-1].Meter != f.Meter || out.Archive[n-1].Kind != f.Kind.String() {
			out.Archive = append(out.Archive, api.MeterArchive{Meter: f.Meter, Kind: f.Kind.String(), First: f.Month})
			n++
		}
		m := &out.Archive[n-1]
		m.Last = f.Month
		m.Files++
		m.Points += f.Points
		m.Bytes += f.Size
	}
	return out, nil
}

// RetentionState is what the state of a node says of its archive.
func RetentionState(r Retention) func(context.Context) (*api.RetentionStatus, error) {
	return func(context.Context) (*api.RetentionStatus, error) {
		out := retentionStatus(r.Status())
		return &out, nil
	}
}

func retentionStatus(s retain.Status) api.RetentionStatus {
	return api.RetentionStatus{
		Running: s.Running, Meter: s.Meter, Started: s.Started, Finished: s.Finished, Next: s.Next, Meters: s.Meters,
		Moved: api.Moved(s.Moved), Dropped: api.Moved(s.Dropped), Failed: s.Failed, Errors: s.Errors, Faults: s.Faults,
	}
}
