package demo

import (
	"context"
	"fmt"

	"metermanager/rpc/client"
)

// progress is how far retrieval and upload have come.
type progress struct {
	known     bool // the site answered
	records   int64
	waiting   int64
	busy      bool // a meter is being retrieved, or never was
	uploading bool
	newest    string // day that retrieval has reached
}

func ask(ctx context.Context, site *client.Client) progress {
	s, err := site.Status(ctx)
	if err != nil {
		return progress{} // it may just be starting again
	}
	p := progress{known: true}
	for _, m := range s.Meters {
		for _, l := range m.Logs {
			p.records += l.Records
			if l.Last > 0 && l.Kind == "historical" {
				p.newest = l.Last.Time().Format("2 Jan 15:04")
			}
		}
		p.busy = p.busy || m.State == "retrieving" || m.State == "reading" ||
			m.LastOK == 0 && m.LastError == "" && m.Latest == nil // it was never heard of
	}
	if s.Sync != nil {
		p.waiting = s.Sync.Pending + s.Sync.NotCompared
		p.uploading = s.Sync.Current != nil || len(s.Sync.Queue) > 0
	}
	return p
}

// settle counts looks in a row at which nothing was left to do; two mean that history is in.
func (p progress) settle(before int) int {
	if !p.known || p.busy || p.records == 0 || p.waiting > 0 {
		return 0
	}
	return before + 1
}

func (p progress) String() string {
	if !p.known {
		return "The site does not answer yet."
	}
	text := fmt.Sprintf("%d records retrieved", p.records)
	if p.busy && p.newest != "" {
		text += " (reached " + p.newest + " UTC)"
	}
	if p.waiting > 0 {
		return text + fmt.Sprintf(", %d on their way to the cloud.", p.waiting)
	}
	if p.busy {
		return text + " so far."
	}
	return text + ", all of them decided by the cloud."
}
