package webapi

import (
	"fmt"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"metermanager/logdb"
	"metermanager/rpc/fault"
)

// PageInput says which page of a list is wanted. It is exported since huma fills exported parts only.
type PageInput struct {
	Limit  int    `query:"limit" minimum:"0" maximum:"5000" doc:"How many at most; 1000 without it"`
	Cursor string `query:"cursor" maxLength:"1024" doc:"The next of the page before"`
}

// usualPage is how long a page of a list is when nobody says.
const usualPage = 1000

// after returns where the page begins and how long it is. kind tells lists apart.
func (p PageInput) after(kind string) (after string, limit int, err error) {
	limit = p.Limit
	if limit <= 0 {
		limit = usualPage
	}
	if p.Cursor == "" {
		return "", limit, nil
	}
	parts, err := unpackCursor(kind, p.Cursor, 1)
	if err != nil {
		return "", 0, err
	}
	if after, err = url.QueryUnescape(parts[0]); err != nil {
		return "", 0, errCursor
	}
	return after, limit, nil
}

// nextAfter is the cursor of the page behind the one that ends with last.
func nextAfter(kind, last string) string { return packCursor(kind, url.QueryEscape(last)) }

// pageOf cuts a list, of which one more than a page was asked for, and tells where the next page begins.
func pageOf[T any](kind string, list []T, limit int, place func(T) string) ([]T, string) {
	if len(list) <= limit {
		return list, ""
	}
	list = list[:limit]
	return list, nextAfter(kind, place(list[limit-1]))
}

// timed is a place in a list that is ordered by a time, and by an id where times are equal.
func timed(t logdb.Millis, id string) string { return fmt.Sprintf("%015d %s", t, id) }

// afterTimed is after for such a list.
func (p PageInput) afterTimed(kind string) (t logdb.Millis, id string, limit int, err error) {
	after, limit, err := p.after(kind)
	if err != nil || after == "" {
		return 0, "", limit, err
	}
	at, id, ok := strings.Cut(after, " ")
	ms, err := strconv.ParseInt(at, 10, 64)
	if !ok || err != nil {
		return 0, "", 0, errCursor
	}
	return logdb.Millis(ms), id, limit, nil
}

// pageIn is pageOf for a list that is at hand whole, in an order that does not change.
func pageIn[T any](in PageInput, kind string, list []T, place func(T) string) ([]T, string, error) {
	after, limit, err := in.after(kind)
	if err != nil {
		return nil, "", err
	}
	if after != "" {
		i := slices.IndexFunc(list, func(one T) bool { return place(one) == after })
		if i < 0 {
			return nil, "", fault.New(fault.Invalid, "What this cursor points to is gone; begin the list again.").At("cursor")
		}
		list = list[i+1:]
	}
	list, next := pageOf(kind, list, limit, place)
	return list, next, nil
}

// RestInput says which part of a list is wanted that comes whole to who does not ask for less: senders compare by it. It is exported since
// huma fills exported parts only.
type RestInput struct {
	Limit  int    `query:"limit" minimum:"0" maximum:"100000" doc:"How many at most; all without it"`
	Cursor string `query:"cursor" maxLength:"1024" doc:"The next of the page before"`
}

func (in RestInput) page() PageInput {
	if in.Limit <= 0 {
		in.Limit = math.MaxInt32
	}
	return PageInput(in)
}

// pageParams are the parameters of a raw route that answers a list.
var pageParams = []param{{"limit", "How many at most, up to 5000; 1000 without it"}, {"cursor", "The next of the page before"}}

// pageInput reads them.
func pageInput(q url.Values) (PageInput, error) {
	in := PageInput{Cursor: q.Get("cursor")}
	if text := q.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 || n > 5000 {
			return in, fault.New(fault.Invalid, "This is a number from 1 to 5000.").At("limit")
		}
		in.Limit = n
	}
	return in, nil
}
