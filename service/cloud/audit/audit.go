package audit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
)

// ErrBroken marks a chain in which an event is missing or is not what was written.
var ErrBroken = errors.New("the audit was changed")

// The outcomes of an action.
const (
	Done    = "done"
	Refused = "refused" // not allowed, or not understood
	Failed  = "failed"  // allowed, and it did not work
)

// Event is one line of the audit. None of it is a secret.
type Event struct {
	Seq      int64             `json:"seq"`
	AtMillis int64             `json:"at_ms"`
	Customer string            `json:"customer,omitempty"` // of whom it is told; "": the node's own
	Actor    string            `json:"actor,omitempty"`    // user:ID, key:ID; "": unknown
	Name     string            `json:"name,omitempty"`     // of the user or key then
	Address  string            `json:"address,omitempty"`  // where it came from
	Request  string            `json:"request_id,omitempty"`
	Action   string            `json:"action"` // an operation or a command
	Target   string            `json:"target,omitempty"`
	Outcome  string            `json:"outcome"`
	Reason   string            `json:"reason,omitempty"` // code of the refusal
	Details  map[string]string `json:"details,omitempty"`
	// Hash chains the event to the one before it of the same customer.
	Hash string `json:"hash"`
}

// Chain returns the hash of an event that follows one of hash before ("" for the first): SHA-256 over that hash and the
// event's own members in the order of their names here.
func (e Event) Chain(before string) string {
	e.Hash = ""
	e.Seq = 0 // given by the table
	text, err := json.Marshal(e)
	if err != nil { // strings and numbers only
		panic(fmt.Sprintf("encode an audit event: %v", err))
	}
	h := sha256.New()
	h.Write([]byte(before))
	h.Write([]byte{'\n'})
	h.Write(text)
	return hex.EncodeToString(h.Sum(nil))
}

// Checker goes along the events of one customer, the oldest first.
type Checker struct {
	last  string
	count int64
}

// Add checks the next event.
func (c *Checker) Add(e Event) error {
	if want := e.Chain(c.last); want != e.Hash {
		return fmt.Errorf("%w: event %d of %d ms (%s) does not follow the one before it: it was altered, or one before it was removed or put in", ErrBroken, e.Seq, e.AtMillis, e.Action)
	}
	c.last = e.Hash
	c.count++
	return nil
}

// End compares with what the head says of the chain: how many there are and the last one's hash.
func (c *Checker) End(count int64, hash string) error {
	if c.count != count || c.last != hash {
		return fmt.Errorf("%w: %d events are there and %d were written: the newest are missing or others were put in", ErrBroken, c.count, count)
	}
	return nil
}

// Trail is the event of a request under way. What a transaction of the request changes carries it with it, so that there is no
// change without its event.
type Trail struct {
	mu      sync.Mutex
	event   Event
	written int
	quiet   bool
}

// Begin returns a trail for an event.
func Begin(e Event) *Trail {
	e.Outcome = Done
	return &Trail{event: e}
}

// Describe says more of the action once it is known.
func (t *Trail) Describe(action, target string, details map[string]string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.event.Action, t.event.Target = action, target
	t.event.Details = details
}

// Say adds pairs of name and value to the details: what it was before, and after.
func (t *Trail) Say(pairs ...string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	details := maps.Clone(t.event.Details)
	if details == nil {
		details = map[string]string{}
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			details[pairs[i]] = pairs[i+1]
		}
	}
	t.event.Details = details
}

// Of sets whose event it is, once that is known: a login begins as nobody's.
func (t *Trail) Of(customer, actor, name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.event.Customer, t.event.Actor, t.event.Name = customer, actor, name
}

// Skip leaves the event out unless it is refused or fails: it changes nothing and is no secret.
func (t *Trail) Skip() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.quiet = true
}

// take returns the event for a transaction that changes something. write stores it in that transaction.
func (t *Trail) take(write func(Event) error) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.quiet {
		return nil
	}
	if err := write(t.event); err != nil {
		return err
	}
	t.written++
	return nil
}

// End returns the event as it ended, and whether it is still to be written: a change that was made wrote it.
func (t *Trail) End(outcome, reason string) (Event, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.event
	e.Outcome, e.Reason = outcome, reason
	if outcome == Done {
		return e, t.written == 0 && !t.quiet
	}
	return e, true
}

type trailKey struct{}

// With carries a trail to the transactions of a request.
func With(ctx context.Context, t *Trail) context.Context {
	return context.WithValue(ctx, trailKey{}, t)
}

// Quiet has transactions leave no event: what they change nobody did, such as when a credential was last used.
func Quiet(ctx context.Context) context.Context {
	return context.WithValue(ctx, trailKey{}, (*Trail)(nil))
}

// In writes the event of a request, if ctx is one's, by write, which belongs to a transaction that changes something.
func In(ctx context.Context, write func(Event) error) error {
	t, _ := ctx.Value(trailKey{}).(*Trail)
	if t == nil {
		return nil
	}
	return t.take(write)
}

// Of returns the trail of a request, nil when it has none.
func Of(ctx context.Context) *Trail {
	t, _ := ctx.Value(trailKey{}).(*Trail)
	return t
}

// The views: everything of the node; what an administrator of it looks at; what a customer did and was done to it.
const (
	ViewServer   = "server"
	ViewAdmin    = "admin"
	ViewCustomer = "customer"
)

// Filter chooses events, the newest first.
type Filter struct {
	View     string
	Customer string // of ViewCustomer, and of the others "" for all
	From, To int64  // UTC ms, [From, To); 0: no bound
	Actor    string // ID or name
	Action   string // or its beginning up to a point
	Outcome  string
	Before   int64 // only events of a smaller Seq; 0: no bound
	Limit    int
}

// everyday are actions that say nothing to an administrator while they succeed: there are many, of machines.
var everyday = []string{"register-meter"}

// Takes reports whether an event belongs to the view of f. The other members of f are for the table.
func (f Filter) Takes(e Event) bool {
	switch f.View {
	case ViewServer:
		return true
	case ViewCustomer:
		return e.Customer == f.Customer && e.Customer != ""
	}
	return e.Outcome != Done || !slices.Contains(everyday, e.Action)
}
