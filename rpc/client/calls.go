package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"time"

	"metermanager/logdb"
	"metermanager/rpc/api"
	"metermanager/rpc/fault"
)

// ask sends a call and reads its answer as a document.
func ask[O any](ctx context.Context, c *Client, q call) (O, error) {
	var out O
	a, err := c.do(ctx, q)
	if err != nil {
		return out, err
	}
	if err := json.Unmarshal(a.body, &out); err != nil {
		return out, fault.Wrap(fault.Unavailable, "The answer is not understood: is a Meter Manager at that address?", err)
	}
	return out, nil
}

// document encodes the body of a call.
func document(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode a request: %w", err)
	}
	return b, nil
}

// tell sends a document and reads one.
func tell[O any](ctx context.Context, c *Client, q call, in any) (O, error) {
	body, err := document(in)
	if err != nil {
		var none O
		return none, err
	}
	q.body = body
	return ask[O](ctx, c, q)
}

// Login exchanges user and password for a token and keeps it for further calls.
func (c *Client) Login(ctx context.Context, q api.LoginRequest) (api.LoginAnswer, error) {
	out, err := c.login(ctx, q)
	if err != nil {
		return out, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.token = out.Token
	return out, nil
}

func (c *Client) login(ctx context.Context, q api.LoginRequest) (api.LoginAnswer, error) {
	return tell[api.LoginAnswer](ctx, c, call{class: classPush, method: post, path: escaped("login"), public: true}, q)
}

// Logout ends the session of the token.
func (c *Client) Logout(ctx context.Context) error {
	if c.Token() == "" {
		return nil
	}
	_, err := c.do(ctx, call{class: classOnce, method: post, path: escaped("logout")})
	c.mu.Lock()
	defer c.mu.Unlock()
	c.token = ""
	return err
}

// User says who the credential is.
func (c *Client) User(ctx context.Context) (api.UserAnswer, error) {
	return ask[api.UserAnswer](ctx, c, call{class: classQuery, method: get, path: escaped("user")})
}

// Register registers a meter.
func (c *Client) Register(ctx context.Context, q api.RegisterRequest) (api.RegisterAnswer, error) {
	return tell[api.RegisterAnswer](ctx, c, call{class: classPush, method: post, path: escaped("meters", "register")}, q)
}

// Meters lists the meters that the credential may see.
func (c *Client) Meters(ctx context.Context) ([]api.Meter, error) {
	return every(ctx, c, escaped("meters"), nil, func(a api.MetersAnswer) ([]api.Meter, string) { return a.Meters, a.Next })
}

// Meter returns one meter.
func (c *Client) Meter(ctx context.Context, meter logdb.MeterUID) (api.Meter, error) {
	return ask[api.Meter](ctx, c, call{class: classQuery, method: get, path: escaped("meters", string(meter))})
}

// RemoveMeter takes a meter off the list.
func (c *Client) RemoveMeter(ctx context.Context, meter logdb.MeterUID) error {
	_, err := c.do(ctx, call{class: classOnce, method: remove, path: escaped("meters", string(meter))})
	return err
}

// PutSettings stores the newest settings of a meter. What s does not know stays as it is there, but for what is unverified: that may be nothing any more.
func (c *Client) PutSettings(ctx context.Context, meter logdb.MeterUID, s logdb.Settings) error {
	body, err := api.SettingsDocument(s)
	if err != nil {
		return err
	}
	_, err = c.do(ctx, call{class: classPush, method: put, path: escaped("meters", string(meter), "settings"), body: body})
	return err
}

// Channels lists the channels of a meter with their ranges.
func (c *Client) Channels(ctx context.Context, meter logdb.MeterUID) (api.ChannelsAnswer, error) {
	out := api.ChannelsAnswer{MeterUID: meter}
	var err error
	out.Channels, err = every(ctx, c, escaped("meters", string(meter), "channels"), nil, func(a api.ChannelsAnswer) ([]api.ChannelInfo, string) { return a.Channels, a.Next })
	return out, err
}

// PushPage uploads a page under the meter that it names. An answer without any count is a
// receipt only: the page will be stored later. fault.TooLarge asks for smaller pages.
func (c *Client) PushPage(ctx context.Context, page *logdb.Page) (api.UploadAnswer, error) {
	if page.Meter == "" || !page.Kind.Valid() {
		return api.UploadAnswer{}, fault.New(fault.Invalid, "A page needs its meter and kind.")
	}
	return c.Upload(ctx, page.Meter, page.Kind, api.AppendPage(nil, page, api.DialectJSON))
}

// Upload uploads a body as it is.
func (c *Client) Upload(ctx context.Context, meter logdb.MeterUID, kind logdb.Kind, body []byte) (api.UploadAnswer, error) {
	q := call{class: classPush, method: post, path: escaped("meters", string(meter), "logs", kind.String()), body: body}
	out, err := ask[api.UploadAnswer](ctx, c, q)
	if err == nil && out.Receipt != "" && out.Receipt != api.Receipt(body) {
		return out, fault.New(fault.Unavailable, "The receipt is not that of the page: something on the way changes what is sent.")
	}
	return out, err
}

// Streams returns the sets of positions that the node holds of a meter and kind.
func (c *Client) Streams(ctx context.Context, meter logdb.MeterUID, kind logdb.Kind) ([]logdb.StreamState, error) {
	a, err := ask[api.StreamsAnswer](ctx, c, call{class: classPush, method: get, path: escaped("meters", string(meter), "streams", kind.String())})
	if err != nil {
		return nil, err
	}
	out := make([]logdb.StreamState, 0, len(a.Streams))
	for _, s := range a.Streams {
		state, err := s.State()
		if err != nil {
			return nil, fault.Wrap(fault.Unavailable, "The sets of the other side are not understood.", err)
		}
		out = append(out, state)
	}
	return out, nil
}

// Marks returns what the node holds at the positions first to last of a journal, logdb.MarksMost at most (logdb.Marks).
func (c *Client) Marks(ctx context.Context, meter logdb.MeterUID, kind logdb.Kind, journal logdb.JournalID, first, last logdb.Position) (map[logdb.Position]logdb.Mark, error) {
	a, err := ask[api.MarksAnswer](ctx, c, call{
		class: classPush, method: get, path: escaped("meters", string(meter), "marks", kind.String()),
		query: url.Values{"journal": {string(journal)}, "first": {fmt.Sprint(first)}, "last": {fmt.Sprint(last)}},
	})
	out := map[logdb.Position]logdb.Mark{}
	for _, m := range a.Marks {
		out[m.Position] = logdb.Mark{Time: m.Time, Sort: m.Sort}
	}
	return out, err
}

// Digests returns the digests of one stream per day.
func (c *Client) Digests(ctx context.Context, meter logdb.MeterUID, kind logdb.Kind, stream logdb.StreamID) ([]logdb.DayDigest, error) {
	a, err := c.Audit(ctx, meter, kind, stream)
	return a.Days, err
}

// Audit returns the digests of one stream and what the other side found wrong with it; of the zero stream, what belongs to none.
func (c *Client) Audit(ctx context.Context, meter logdb.MeterUID, kind logdb.Kind, stream logdb.StreamID) (logdb.Audit, error) {
	a, err := ask[api.DigestsAnswer](ctx, c, call{
		class: classQuery, method: get, path: escaped("meters", string(meter), "digests", kind.String()),
		query: url.Values{"stream": {stream.String()}},
	})
	return a.Audit(), err
}

// Forget removes the records of a stream with from <= time < to, so that they can be sent again.
func (c *Client) Forget(ctx context.Context, meter logdb.MeterUID, kind logdb.Kind, q api.ForgetRequest) (int, error) {
	a, err := tell[api.ForgetAnswer](ctx, c, call{class: classOnce, method: post, path: escaped("meters", string(meter), "logs", kind.String(), "forget")}, q)
	return a.Removed, err
}

// Clear clears a log of a meter.
func (c *Client) Clear(ctx context.Context, meter logdb.MeterUID, kind logdb.Kind) error {
	_, err := c.do(ctx, call{class: classOnce, method: remove, path: escaped("meters", string(meter), "logs", kind.String())})
	return err
}

// Call carries out an RPC command. args is an object of parameters or nil; the result is
// decoded into result unless that is nil. Commands are never repeated by themselves.
func (c *Client) Call(ctx context.Context, command string, args, result any) error {
	if args == nil {
		args = struct{}{}
	}
	a, err := tell[api.CommandAnswer](ctx, c, call{class: classOnce, method: post, path: escaped("rpc", command)}, args)
	if err != nil || result == nil {
		return err
	}
	if len(a.Result) == 0 {
		a.Result = []byte("null")
	}
	if err := json.Unmarshal(a.Result, result); err != nil {
		return fault.Wrap(fault.Unavailable, "The result of the command is not understood.", err)
	}
	return nil
}

// Status returns the state of the node.
func (c *Client) Status(ctx context.Context) (api.NodeStatus, error) {
	return ask[api.NodeStatus](ctx, c, call{class: classQuery, method: get, path: escaped("status")})
}

// Version names the program at the other side.
func (c *Client) Version(ctx context.Context) (api.VersionAnswer, error) {
	return ask[api.VersionAnswer](ctx, c, call{class: classOnce, method: get, path: "/version", public: true})
}

// Ready returns nil when the node can do its work.
func (c *Client) Ready(ctx context.Context) error {
	_, err := c.do(ctx, call{class: classOnce, method: get, path: "/readyz", public: true})
	return err
}

// Keys lists upload keys, without their secrets.
func (c *Client) Keys(ctx context.Context) ([]api.Key, error) {
	return every(ctx, c, escaped("keys"), nil, func(a api.KeysAnswer) ([]api.Key, string) { return a.Keys, a.Next })
}

// with is a query for the page of a list that begins at a cursor.
func with(query url.Values, cursor string) url.Values {
	if cursor == "" {
		return query
	}
	out := url.Values{"cursor": {cursor}}
	for name, values := range query {
		out[name] = values
	}
	return out
}

// CreateKey makes an upload key; its secret is shown this once.
func (c *Client) CreateKey(ctx context.Context, q api.CreateKeyRequest) (api.CreateKeyAnswer, error) {
	return tell[api.CreateKeyAnswer](ctx, c, call{class: classOnce, method: post, path: escaped("keys")}, q)
}

// RotateKey makes a key in the place of another one, or of the client's own, which goes on for overlap.
func (c *Client) RotateKey(ctx context.Context, id string, overlap time.Duration) (api.CreateKeyAnswer, error) {
	seconds := int64(overlap / time.Second)
	return tell[api.CreateKeyAnswer](ctx, c, call{class: classOnce, method: post, path: escaped("keys", id, "rotate")}, api.RotateKeyRequest{OverlapS: &seconds})
}

// Authority returns the certificate of the node's own authority in PEM form.
func (c *Client) Authority(ctx context.Context) ([]byte, error) {
	a, err := c.do(ctx, call{class: classQuery, method: get, path: "/ca.pem", public: true})
	return a.body, err
}

// RevokeKey revokes an upload key.
func (c *Client) RevokeKey(ctx context.Context, id string) error {
	_, err := c.do(ctx, call{class: classOnce, method: remove, path: escaped("keys", id)})
	return err
}
