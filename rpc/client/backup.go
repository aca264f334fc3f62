package client

import (
	"context"
	"fmt"
	"io"
	"net/url"

	"metermanager/rpc/fault"
)

// maxProblem bounds a refusal that comes instead of a stream.
const maxProblem = 1 << 20

// Backup writes the whole state of the node to w while it comes. Only whoever reads the file to its end knows that it is
// complete.
func (c *Client) Backup(ctx context.Context, omitKey bool, w io.Writer) error {
	q := call{class: classOnce, method: get, path: escaped("backup"), query: url.Values{}}
	if omitKey {
		q.query.Set("key", "no")
	}
	r := c.stream.R().SetContext(ctx).SetDoNotParseResponse(true).SetHeader("Accept", "application/zstd, "+fault.ContentType)
	// Without it the transport asks for gzip, which would pack a second time.
	r.SetHeader("Accept-Encoding", "identity")
	if _, err := c.sign(ctx, r, q); err != nil {
		return fmt.Errorf("%s %s: %w", q.method, q.path, err)
	}
	res, err := r.SetQueryParamsFromValues(q.query).Execute(q.method, c.base+q.path)
	if err != nil {
		return fmt.Errorf("%s %s: %w", q.method, q.path, c.unreachable(ctx, err))
	}
	body := res.RawBody()
	defer body.Close()
	if status := res.StatusCode(); status != 200 {
		text, err := io.ReadAll(io.LimitReader(body, maxProblem))
		if err != nil {
			return fmt.Errorf("%s %s: %w", q.method, q.path, c.unreachable(ctx, err))
		}
		return fmt.Errorf("%s %s: %w", q.method, q.path, c.refused(res, text))
	}
	into := &target{w: w}
	if _, err := io.Copy(into, body); into.err != nil {
		return into.err
	} else if err != nil {
		return fmt.Errorf("%s %s: %w", q.method, q.path, c.unreachable(ctx, err))
	}
	return nil
}

// target tells an error of the writer from one of the connection.
type target struct {
	w   io.Writer
	err error
}

// Write implements io.Writer.
func (t *target) Write(p []byte) (int, error) {
	n, err := t.w.Write(p)
	t.err = err
	return n, err
}
