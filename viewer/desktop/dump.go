package desktop

import (
	"context"
	"encoding/json"
	"io"
	"strings"
	"time"

	"metermanager/logdb"
	"metermanager/viewer/model"
)

// Dump prints what a view shows as JSON. It needs no window. A source that cannot be opened is told in the document and is an error.
func Dump(out io.Writer, o Options) error {
	s := &model.Session{}
	for _, r := range model.Ranges {
		if r.Preset == o.Range {
			s.Range = r
		}
	}
	ctx := context.Background()
	var failed error
	for _, t := range o.Open {
		x := s.Add(t)
		c, err := model.Load(ctx, t, nil)
		if err != nil {
			s.Fail(x, err)
			failed = err
			continue
		}
		s.Take(x, c)
		defer c.Opened.Close()
	}
	event, _ := o.event()
	var channels []string
	if o.Channels != "" {
		channels = strings.Split(o.Channels, ",")
	}
	doc, err := s.Dump(ctx, model.DumpOptions{View: o.View, Filter: o.Filter, Event: event, Channels: channels, Now: logdb.MillisOf(time.Now())})
	if err != nil {
		return err
	}
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	if err := e.Encode(doc); err != nil {
		return err
	}
	return failed
}
