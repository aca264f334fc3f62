package modbus

// Priority orders the queue of an endpoint.
type Priority uint8

// The priorities, highest first.
const (
	Exact  Priority = iota // rows of a log that the manager keeps: late they are lost
	Live                   // present values
	User                   // somebody waits; also tries to connect during a back-off
	Logs                   // log windows
	absent                 // units that do not answer while others do
	priorities
)

// What goes first must not keep the rest from its turn on a line that has no time for everything: the memory of a meter that is
// never read is overwritten. A request that waits has its turn after so many tickets of what went before it (0: never): one
// of three or four is for logs while live values take the line, and one of nine or ten while rows do.
var (
	tickets = [priorities]int{Exact: 1, Live: 4, User: 4, Logs: 4, absent: 4}
	turn    = [priorities]int{User: 8, Logs: 8, absent: 800}
)

func (e *Endpoint) push(j *job) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return ErrClosed
	}
	p := min(j.req.Priority, priorities-1)
	e.queue[p] = append(e.queue[p], j)
	e.units[j.unit.id] = true
	select {
	case e.wake <- struct{}{}:
	default:
	}
	return nil
}

func (e *Endpoint) pop() *job {
	e.mu.Lock()
	defer e.mu.Unlock()
	pick := -1
	for p := range e.queue {
		if len(e.queue[p]) == 0 {
			e.passed[p] = 0
		} else if pick < 0 || turn[p] > 0 && e.passed[p] >= turn[p] {
			pick = p
		}
	}
	if pick < 0 {
		return nil
	}
	e.passed[pick] = 0
	for p := pick + 1; p < len(e.queue); p++ {
		if len(e.queue[p]) > 0 {
			e.passed[p] += tickets[pick]
		}
	}
	j := e.queue[pick][0]
	e.queue[pick] = e.queue[pick][1:]
	return j
}

// Waiting returns how many requests wait in the queue.
func (e *Endpoint) Waiting() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	n := 0
	for p := range e.queue {
		n += len(e.queue[p])
	}
	return n
}
