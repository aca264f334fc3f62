package command

import (
	"context"
	"errors"
	"strings"

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
	// AcceptLoss takes a file out of use that is missing or damaged; logdb.ErrNotFound, logdb.ErrInvalid. Losses lists what was accepted.
	AcceptLoss(ctx context.Context, name, by, why string) (logdb.Loss, error)
	Losses(ctx context.Context, meter logdb.MeterUID) ([]logdb.Loss, error)
}

// RetentionHandlers are the commands of how long data stay where.
func RetentionHandlers(r Retention) Handlers {
	c := retentionCommands{r}
	return Handlers{
		api.CmdRetentionGet: Bind(c.get), api.CmdRetentionSet: Bind(c.set), api.CmdRetentionRun: Bind(c.run), api.CmdRetentionStatus: Bind(c.status),
		api.CmdRetentionLose: Bind(c.lose), api.CmdRetentionLosses: Bind(c.losses),
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

type loseArgs struct {
	File string `json:"file"`
	Why  string `json:"why"`
}

// lose accepts that an archive file is lost. The pass that follows writes anew what could be saved, and forgets the fault.
func (c retentionCommands) lose(ctx context.Context, p account.Principal, a loseArgs) (api.Loss, error) {
	why := strings.TrimSpace(a.Why)
	if why == "" || len(why) > maxWhy {
		return api.Loss{}, fault.New(fault.Invalid, "Say in a few words why the loss is accepted.").At("why")
	}
	loss, err := c.of.AcceptLoss(ctx, strings.TrimPrefix(a.File, "archive/"), p.Name, why)
	switch {
	case errors.Is(err, logdb.ErrNotFound):
		return api.Loss{}, fault.Wrap(fault.NotFound, "No archive file of that name is in use.", err).At("file").WithHint("check and the warnings of status name the files that are missing or damaged.")
	case errors.Is(err, logdb.ErrInvalid):
		return api.Loss{}, fault.Wrap(fault.Conflict, "That file is as it was written: nothing of it is lost.", err).At("file")
	case err != nil:
		return api.Loss{}, err
	}
	c.of.Soon()
	return lossOf(loss), nil
}

// maxWhy bounds a reason.
const maxWhy = 1000

func (c retentionCommands) losses(ctx context.Context, _ account.Principal, a retentionRunArgs) (api.LossesAnswer, error) {
	all, err := c.of.Losses(ctx, a.Meter)
	out := api.LossesAnswer{Losses: []api.Loss{}}
	for _, l := range all {
		out.Losses = append(out.Losses, lossOf(l))
	}
	return out, err
}

func lossOf(l logdb.Loss) api.Loss {
	return api.Loss{
		File: l.Name, Meter: l.Meter, Kind: l.Kind.String(), Month: l.Month, Lost: l.Points, First: l.First, Last: l.Last, At: l.At, By: l.By, Why: l.Why,
	}
}
