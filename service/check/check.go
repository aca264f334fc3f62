package check

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"metermanager/cloudsync/clouddb"
	"metermanager/logdb"
	"metermanager/logdb/sqldb"
	"metermanager/logdb/sqlite"
	"metermanager/rpc/api"
)

// ErrNoPart marks a part that there is not.
var ErrNoPart = errors.New("there is no such part of a check")

// Node is what is checked.
type Node struct {
	Meta, Base *sqldb.DB      // of meters and users; below the log store
	Logs       *sqlite.Store  // nil: its records are not looked at
	Sync       *clouddb.Store // nil: what was decided about uploads is not looked at
}

// The first words of the names of parts.
const (
	partTable      = "table"      // table/DATABASE/NAME
	partReferences = "references" // references/DATABASE
	partArchive    = "archive"
	partMeter      = "meter" // meter/UID/KIND
)

// Parts lists the parts of a check, each of which takes a bounded time. Together they are the whole.
func (n Node) Parts(ctx context.Context) ([]string, error) {
	var out []string
	for name, db := range n.databases() {
		tables, err := db.Tables(ctx)
		if err != nil {
			return nil, fmt.Errorf("list the parts of %s: %w", name, err)
		}
		for _, table := range tables {
			out = append(out, partTable+"/"+name+"/"+table)
		}
		out = append(out, partReferences+"/"+name)
	}
	rest, err := n.meterParts(ctx)
	return append(out, rest...), err
}

// meterParts lists the parts of meters and archive.
func (n Node) meterParts(ctx context.Context) (out []string, err error) {
	if n.Logs == nil {
		return nil, nil
	}
	meters, err := n.Logs.Meters(ctx)
	if err != nil {
		return nil, fmt.Errorf("list the meters: %w", err)
	}
	for _, uid := range meters {
		for _, kind := range logdb.Kinds {
			out = append(out, partMeter+"/"+string(uid)+"/"+kind.String())
		}
	}
	return append(out, partArchive), nil
}

// databases visits the databases, in order.
func (n Node) databases() func(func(string, *sqldb.DB) bool) {
	return func(yield func(string, *sqldb.DB) bool) {
		if n.Meta != nil && !yield("meta.db", n.Meta) {
			return
		}
		if n.Base != nil {
			yield("logs.db", n.Base)
		}
	}
}

// Run carries out one part. Others go on writing. Where the part cannot be looked at because the file is damaged, that is what it found.
func (n Node) Run(ctx context.Context, part string) ([]api.CheckFinding, error) {
	found, err := n.run(ctx, part)
	if errors.Is(err, sqldb.ErrDamaged) {
		return append(found, api.CheckFinding{Place: part, Text: err.Error(), Advice: advicePages}), nil
	}
	return found, err
}

func (n Node) run(ctx context.Context, part string) ([]api.CheckFinding, error) {
	words := strings.Split(part, "/")
	switch {
	case len(words) == 3 && words[0] == partTable:
		return n.table(ctx, words[1], words[2])
	case len(words) == 2 && words[0] == partReferences:
		return n.references(ctx, words[1])
	case part == partArchive && n.Logs != nil:
		return n.archive(ctx)
	case len(words) >= 3 && words[0] == partMeter && n.Logs != nil:
		uid := strings.Join(words[1:len(words)-1], "/")
		if kind, err := logdb.ParseKind(words[len(words)-1]); err == nil {
			return n.meter(ctx, logdb.MeterUID(uid), kind)
		}
	}
	return nil, fmt.Errorf("%w: %q", ErrNoPart, part)
}

func (n Node) find(name string) *sqldb.DB {
	for has, db := range n.databases() {
		if has == name {
			return db
		}
	}
	return nil
}

func (n Node) table(ctx context.Context, name, table string) ([]api.CheckFinding, error) {
	db := n.find(name)
	if db == nil {
		return nil, fmt.Errorf("%w: database %q", ErrNoPart, name)
	}
	known, err := db.Tables(ctx)
	if err != nil {
		return nil, err
	}
	for _, t := range known {
		if t == table {
			found, err := db.CheckTable(ctx, table)
			return pages(name, found), err
		}
	}
	return nil, fmt.Errorf("%w: table %q", ErrNoPart, table)
}

func (n Node) references(ctx context.Context, name string) ([]api.CheckFinding, error) {
	db := n.find(name)
	if db == nil {
		return nil, fmt.Errorf("%w: database %q", ErrNoPart, name)
	}
	found, err := db.CheckReferences(ctx)
	return pages(name, found), err
}

// Database checks a whole database file, which finds also what belongs to no table.
func Database(ctx context.Context, name string, db *sqldb.DB) ([]api.CheckFinding, error) {
	found, err := db.Check(ctx)
	return pages(name, found), err
}

const (
	advicePages   = "The file is damaged, most often by the disk or by a copy made while the service ran. Look at the disk, then restore a backup (metermanager restore); meters with a memory and clouds bring back what came after it."
	adviceArchive = "Take the file from a backup and put it in its place; nothing else needs to be changed. If there is none: metermanager rpc retention.lose FILE WHY accepts the loss."
	adviceRecords = "metermanager verify compares with the meter and the cloud, and says how each record can be brought back."
	adviceSync    = "metermanager verify compares with the cloud record by record; cloud.refresh sends what it lacks."
)

func pages(name string, found []string) []api.CheckFinding {
	var out []api.CheckFinding
	for _, text := range found {
		out = append(out, api.CheckFinding{Place: name, Text: text, Advice: advicePages})
	}
	return out
}

func (n Node) archive(ctx context.Context) ([]api.CheckFinding, error) {
	bad, err := n.Logs.CheckArchive(ctx)
	var out []api.CheckFinding
	for name, what := range bad {
		out = append(out, api.CheckFinding{Place: "archive/" + name, Text: what.Error(), Advice: adviceArchive})
	}
	return out, err
}

func (n Node) meter(ctx context.Context, uid logdb.MeterUID, kind logdb.Kind) ([]api.CheckFinding, error) {
	streams, err := n.Logs.Streams(ctx, uid, kind)
	if err != nil {
		return nil, err
	}
	ids := []logdb.StreamID{{}} // and what belongs to no stream
	for _, s := range streams {
		ids = append(ids, s.Stream)
	}
	var out []api.CheckFinding
	for _, id := range ids {
		audit, err := n.Logs.Audit(ctx, uid, kind, id)
		if errors.Is(err, sqldb.ErrDamaged) {
			out = append(out, pages("logs.db", []string{err.Error()})...)
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, f := range audit.Findings {
			out = append(out, record(uid, kind, id, f, adviceRecords))
		}
		if audit.More > 0 {
			out = append(out, api.CheckFinding{Meter: uid, Kind: kind.String(), Text: fmt.Sprintf("%d more", audit.More), Advice: adviceRecords})
		}
	}
	if n.Sync == nil {
		return out, nil
	}
	found, err := n.Sync.Audit(ctx, uid, kind)
	if err != nil {
		return nil, err
	}
	for _, f := range found {
		out = append(out, record(uid, kind, logdb.StreamID{}, f, adviceSync))
	}
	return out, nil
}

// record puts a finding of a store into words.
func record(uid logdb.MeterUID, kind logdb.Kind, stream logdb.StreamID, f logdb.Finding, advice string) api.CheckFinding {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", f.Place, f.Fault)
	if f.Channel != "" {
		fmt.Fprintf(&b, ", %s", f.Channel)
	}
	if f.Position != 0 {
		fmt.Fprintf(&b, ", position %d", f.Position)
	}
	if f.Last != 0 && f.Last != f.Position {
		fmt.Fprintf(&b, " to %d", f.Last)
	}
	if f.Count != 0 {
		fmt.Fprintf(&b, ", %d records", f.Count)
	}
	if f.Have != "" {
		fmt.Fprintf(&b, ", held: %s", f.Have)
	}
	if f.Want != "" {
		fmt.Fprintf(&b, ", written was: %s", f.Want)
	}
	out := api.CheckFinding{Place: "logs.db", Meter: uid, Kind: kind.String(), Log: f.Log, Time: max(f.Time, f.Day), Text: b.String(), Advice: advice}
	if advice == adviceSync {
		out.Place = "meta.db"
	}
	if !stream.IsZero() {
		out.Stream = stream.String()
	}
	return out
}
