package virtual

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"metermanager/logdb"
	"metermanager/rpc/api"
)

// Trouble is what a link does with a request.
type Trouble string

// The troubles of a link. Each concerns one request, but for those of the first group, which
// concern a connection.
const (
	Refuse    Trouble = "refuse"    // nobody listens
	NoName    Trouble = "no name"   // the name is not known
	Partition Trouble = "partition" // neither answer nor refusal, and what is open hears nothing any more

	Delay       Trouble = "delay"        // the request comes late
	DelayAnswer Trouble = "delay answer" // the answer comes late
	LoseRequest Trouble = "lose request" // the connection ends before anything was passed on
	LoseAnswer  Trouble = "lose answer"  // passed on; the connection ends without the answer
	Stall       Trouble = "stall"        // passed on; the answer never comes, and the connection stays
	Twice       Trouble = "twice"        // passed on twice, the second answer is given
	Ghost       Trouble = "ghost"        // answered, and passed on once more much later
	CutRequest  Trouble = "cut request"  // half of the request is passed on
	CutAnswer   Trouble = "cut answer"   // half of the answer comes
	SpoilBody   Trouble = "spoil"        // a byte of the request's body is another
	SpoilAnswer Trouble = "spoil answer" // a byte of the answer's body is another
	Receipt     Trouble = "receipt"      // a page is answered by a receipt (202) and passed on later; never when For is 0
	Status      Trouble = "status"       // answered by the proxy with Code
	StatusAfter Trouble = "status after" // passed on, and answered by the proxy with Code
	TooLarge    Trouble = "too large"    // bodies above Code bytes are answered with 413
)

// LinkFault is a trouble of a link for a while.
type LinkFault struct {
	Trouble Trouble
	Chance  float64       // of each request
	For     time.Duration // of delays, and until a ghost
	Code    int
	After   int // Retry-After in seconds, 0: none

	from, until time.Time
}

// proxy stands between two hosts and passes whole requests on, as faults say.
type proxy struct {
	net  *Network
	link Link

	mu     sync.Mutex
	rng    *rand.Rand
	faults []*LinkFault
	healed chan struct{} // closed when the faults end
	ctx    context.Context
	wg     sync.WaitGroup
	counts map[Trouble]int
}

// Intercept puts a proxy on a link. It ends with ctx; Wait waits for it.
func (n *Network) Intercept(ctx context.Context, link Link, seed uint64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.links[link] = &proxy{
		net: n, link: link, rng: rand.New(rand.NewPCG(seed, 3)), healed: make(chan struct{}), ctx: ctx, counts: map[Trouble]int{},
	}
}

// Trouble adds faults to a link from now on for so long.
func (n *Network) Trouble(link Link, f LinkFault, lasting time.Duration) {
	n.mu.Lock()
	p := n.links[link]
	n.mu.Unlock()
	f.from = time.Now()
	f.until = f.from.Add(lasting)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = append(p.faults, &f)
}

// Heal ends the faults of all links and breaks the connections that hang in one.
func (n *Network) Heal() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, p := range n.links {
		p.mu.Lock()
		p.faults = nil
		close(p.healed)
		p.healed = make(chan struct{})
		p.mu.Unlock()
	}
}

// Wait waits until nobody is in a proxy any more.
func (n *Network) Wait() {
	n.mu.Lock()
	var all []*proxy
	for _, p := range n.links {
		all = append(all, p)
	}
	n.mu.Unlock()
	for _, p := range all {
		p.wg.Wait()
	}
}

// Counts returns how often each trouble happened on all links.
func (n *Network) Counts() map[Trouble]int {
	n.mu.Lock()
	defer n.mu.Unlock()
	out := map[Trouble]int{}
	for _, p := range n.links {
		p.mu.Lock()
		for t, c := range p.counts {
			out[t] += c
		}
		p.mu.Unlock()
	}
	return out
}

// now returns the faults that hold at present and draws for each whether it happens.
func (p *proxy) drawn(match func(Trouble) bool) (list []*LinkFault, healed <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	p.faults = slices.DeleteFunc(p.faults, func(f *LinkFault) bool { return !now.Before(f.until) })
	for _, f := range p.faults {
		if match(f.Trouble) && p.rng.Float64() < f.Chance {
			list = append(list, f)
		}
	}
	return list, p.healed
}

func (p *proxy) happened(t Trouble) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.counts[t]++
}

func (t Trouble) ofConnection() bool { return t == Refuse || t == NoName || t == Partition }

// dial opens a connection to the proxy.
func (p *proxy) dial(ctx context.Context, to string) (net.Conn, error) {
	faults, healed := p.drawn(Trouble.ofConnection)
	for _, f := range faults {
		p.happened(f.Trouble)
		switch f.Trouble {
		case Refuse:
			return nil, refused(to)
		case NoName:
			return nil, &net.DNSError{Err: "no such host", Name: addr(to).host(), IsNotFound: true}
		case Partition:
			timer := time.NewTimer(time.Minute) // an operating system gives up as well
			defer timer.Stop()
			select {
			case <-ctx.Done():
			case <-timer.C:
			case <-healed:
			}
			return nil, &net.OpError{Op: "dial", Net: "tcp", Addr: addr(to), Err: syscall.ETIMEDOUT}
		}
	}
	near, far := p.net.pair(p.link.From, to)
	p.wg.Go(func() {
		defer far.Close()
		stop := context.AfterFunc(p.ctx, func() { far.Break(syscall.ECONNRESET) })
		defer stop()
		p.serve(far, to)
	})
	return near, nil
}

// serve passes the requests of one connection on, one by one.
func (p *proxy) serve(c *Conn, to string) {
	up := &upstream{p: p, to: to}
	defer up.close()
	in := bufio.NewReader(c)
	for {
		request, body, err := readRequest(in)
		if err != nil {
			return
		}
		faults, healed := p.drawn(func(t Trouble) bool { return !t.ofConnection() || t == Partition })
		answer, stay := p.pass(up, request, body, faults, healed)
		if len(answer) > 0 {
			if _, err := c.Write(answer); err != nil {
				return
			}
		}
		if !stay {
			return
		}
	}
}

// readRequest reads a request and returns its text without the body, and the body.
func readRequest(in *bufio.Reader) (head *http.Request, body []byte, err error) {
	r, err := http.ReadRequest(in)
	if err != nil {
		return nil, nil, fmt.Errorf("read a request: %w", err)
	}
	body, err = io.ReadAll(r.Body)
	if err != nil {
		return nil, nil, fmt.Errorf("read the body of a request: %w", err)
	}
	return r, body, nil
}

// text is a request as it goes over the wire.
func text(r *http.Request, body []byte) ([]byte, error) {
	r.Body, r.ContentLength, r.TransferEncoding = io.NopCloser(bytes.NewReader(body)), int64(len(body)), nil
	if len(body) == 0 {
		r.Body = http.NoBody
	}
	var b bytes.Buffer
	if err := r.Write(&b); err != nil {
		return nil, fmt.Errorf("write a request: %w", err)
	}
	return b.Bytes(), nil
}

// pass does with a request what the faults say; stay is false when the connection ends.
func (p *proxy) pass(up *upstream, r *http.Request, body []byte, faults []*LinkFault, healed <-chan struct{}) (answer []byte, stay bool) {
	wire, err := text(r, body)
	if err != nil {
		return nil, false
	}
	var late []*LinkFault
	for _, f := range faults {
		if f.Trouble == SpoilBody && len(body) == 0 || f.Trouble == TooLarge && len(body) <= f.Code || f.Trouble == Receipt && !isPage(r) {
			continue
		}
		p.happened(f.Trouble)
		switch f.Trouble {
		case Delay:
			p.sleep(f.For, healed)
		case LoseRequest:
			return nil, false
		case Partition:
			p.sleep(time.Hour, healed)
			return nil, false
		case CutRequest:
			up.half(wire)
			return nil, false
		case SpoilBody:
			wire[len(wire)-1-int(p.number(len(body)))] ^= 1 << p.number(8)
		case Status:
			return refusal(f.Code, f.After), true
		case TooLarge:
			return refusal(http.StatusRequestEntityTooLarge, 0), true
		case Receipt:
			if f.For > 0 {
				p.ghost(up.to, bytes.Clone(wire), f.For)
			}
			return receipt(body), true
		case Ghost:
			p.ghost(up.to, bytes.Clone(wire), f.For)
		default:
			late = append(late, f)
		}
	}
	ask := func() ([]byte, error) {
		answer, err := up.exchange(wire)
		if err != nil {
			return nil, err
		}
		if odd := oddReceipt(r, body, answer); odd != "" {
			p.net.mu.Lock()
			p.net.odd = append(p.net.odd, fmt.Sprintf("%s answers %s: %s", p.link.To, p.link.From, odd))
			p.net.mu.Unlock()
		}
		return answer, nil
	}
	if answer, err = ask(); err != nil {
		return nil, false
	}
	return p.answered(ask, answer, late, healed)
}

// answered does with an answer what the faults say; ask passes the request on once more.
func (p *proxy) answered(ask func() ([]byte, error), answer []byte, faults []*LinkFault, healed <-chan struct{}) ([]byte, bool) {
	for _, f := range faults {
		switch f.Trouble {
		case DelayAnswer:
			p.sleep(f.For, healed)
		case LoseAnswer:
			return nil, false
		case Stall:
			p.sleep(24*time.Hour, healed)
			return nil, false
		case Twice:
			second, err := ask()
			if err != nil {
				return nil, false
			}
			answer = second
		case SpoilAnswer:
			if head := bytes.Index(answer, []byte("\r\n\r\n")) + 4; head < len(answer) {
				answer[head+int(p.number(len(answer)-head))] ^= 1 << p.number(8)
			}
		case CutAnswer:
			return answer[:p.number(len(answer))], false
		case StatusAfter:
			return refusal(f.Code, f.After), true
		}
	}
	return answer, true
}

func (p *proxy) number(n int) int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.rng.Int64N(int64(n))
}

// ghost passes a request on once more, much later, whatever became of its sender.
func (p *proxy) ghost(to string, wire []byte, after time.Duration) {
	p.wg.Go(func() {
		timer := time.NewTimer(after)
		defer timer.Stop()
		select {
		case <-p.ctx.Done():
			return
		case <-timer.C:
		}
		up := &upstream{p: p, to: to}
		defer up.close()
		_, _ = up.exchange(wire) // nobody waits for the answer
	})
}

// sleep waits, but not beyond the end of the faults.
func (p *proxy) sleep(d time.Duration, healed <-chan struct{}) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-p.ctx.Done():
	case <-healed:
	case <-timer.C:
	}
}

// refusal is an answer of the proxy itself, as gateways give them: no problem document.
func refusal(code, after int) []byte {
	const page = "<html><body>The gateway cannot do this now.</body></html>"
	var b bytes.Buffer
	fmt.Fprintf(&b, "HTTP/1.1 %d %s\r\nContent-Type: text/html\r\nContent-Length: %d\r\n", code, http.StatusText(code), len(page))
	if after > 0 {
		b.WriteString("Retry-After: " + strconv.Itoa(after) + "\r\n")
	}
	b.WriteString("\r\n" + page)
	return b.Bytes()
}

// isPage reports whether a request uploads a page.
func isPage(r *http.Request) bool {
	return r.Method == http.MethodPost && strings.Contains(r.URL.Path, "/logs/")
}

// receipt is the answer of a cloud whose bus has taken a page: that it is stored its sets will tell, or not.
func receipt(body []byte) []byte {
	text := fmt.Sprintf(`{"stored":0,"repeats":0,"revised":0,"skipped":0,"receipt":%q}`, api.Receipt(body))
	return fmt.Appendf(nil, "HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(text), text)
}

// oddReceipt looks what a node answers to a page: it counts each record of it once, or, of those that wait for what they revise, not
// at all; and as many were skipped as it lists.
func oddReceipt(r *http.Request, body, answer []byte) string {
	if !isPage(r) {
		return ""
	}
	res, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(answer)), r)
	if err != nil || res.StatusCode != http.StatusOK {
		return ""
	}
	defer res.Body.Close()
	var told api.UploadAnswer
	doc, err := io.ReadAll(res.Body)
	if err == nil {
		doc, err = unpacked(doc, res.Header)
	}
	if err == nil {
		err = json.Unmarshal(doc, &told)
	}
	if err == nil {
		body, err = unpacked(body, r.Header)
	}
	if err != nil {
		return "what cannot be read: " + err.Error()
	}
	_, name, _ := strings.Cut(r.URL.Path, "/logs/")
	kind, err := logdb.ParseKind(name)
	if err != nil {
		return ""
	}
	up, err := api.ParsePage(kind, body, api.ScanLimits{})
	if err != nil {
		return "what is no page: " + err.Error()
	}
	sent, changes := len(up.Page.Entries), false
	for i := range up.Page.Entries {
		changes = changes || up.Page.Entries[i].Target != 0
	}
	for i := range up.Page.Rows {
		sent += up.Page.Rows[i].Len()
	}
	var refused logdb.Position
	for _, f := range told.Refused {
		refused += f.Last - f.First + 1
	}
	if sum := told.Stored + told.Repeats + told.Revised + told.Skipped; sum > sent || sum < sent && !changes || logdb.Position(told.Skipped) != refused {
		return fmt.Sprintf("%d stored, %d repeats, %d revised, %d skipped of %d records, and lists %d as skipped",
			told.Stored, told.Repeats, told.Revised, told.Skipped, sent, refused)
	}
	return ""
}

func unpacked(body []byte, head http.Header) ([]byte, error) {
	if head.Get("Content-Encoding") != "gzip" {
		return body, nil
	}
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("unpack a body: %w", err)
	}
	return io.ReadAll(z)
}

// upstream is the proxy's connection to the called host.
type upstream struct {
	p    *proxy
	to   string
	conn *Conn
	in   *bufio.Reader
	stop func() bool
}

func (u *upstream) open() error {
	if u.conn != nil {
		return nil
	}
	c, err := u.p.net.direct(u.p.ctx, u.p.link.From, u.to)
	if err != nil {
		return err
	}
	u.conn, u.in = c, bufio.NewReader(c)
	u.stop = context.AfterFunc(u.p.ctx, func() { c.Break(syscall.ECONNRESET) })
	return nil
}

func (u *upstream) close() {
	if u.conn != nil {
		u.stop()
		_ = u.conn.Close()
		u.conn = nil
	}
}

// half sends the begin of a request and hangs up.
func (u *upstream) half(wire []byte) {
	if u.open() == nil {
		_, _ = u.conn.Write(wire[:len(wire)/2+1])
	}
	u.close()
}

// exchange sends a request and returns the text of its answer.
func (u *upstream) exchange(wire []byte) ([]byte, error) {
	if err := u.open(); err != nil {
		return nil, err
	}
	answer, keep, err := u.answer(wire)
	if err != nil || !keep {
		u.close()
	}
	return answer, err
}

func (u *upstream) answer(wire []byte) (out []byte, keep bool, err error) {
	// An answer may come while the request is still being written: too large, for example.
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		_, _ = u.conn.Write(wire)
	}()
	defer func() {
		if err != nil || !keep {
			u.conn.Break(syscall.ECONNRESET)
		}
		<-sent
	}()
	res, err := http.ReadResponse(u.in, nil)
	if err != nil {
		return nil, false, fmt.Errorf("read an answer: %w", err)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, false, fmt.Errorf("read the body of an answer: %w", err)
	}
	keep = !res.Close
	res.Body, res.ContentLength, res.TransferEncoding = io.NopCloser(bytes.NewReader(body)), int64(len(body)), nil
	var b bytes.Buffer
	if err := res.Write(&b); err != nil {
		return nil, false, fmt.Errorf("write an answer: %w", err)
	}
	return b.Bytes(), keep, nil
}
