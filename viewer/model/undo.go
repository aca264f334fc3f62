package model

import (
	"reflect"
	"time"

	"metermanager/logdb"
	"metermanager/viewer/timeline"
)

// Look is what is seen: what can be undone.
type Look struct {
	Range      Range
	Filter     timeline.Filter
	First      logdb.Millis // of the graph
	Last       logdb.Millis
	Wave       *WaveData // the recording that From and To are of
	From, To   float64
	SortColumn int
	SortDown   bool
}

// Undo goes back and forth among looks.
type Undo struct {
	past, future []Look
	now          Look
	kind         string
	at           time.Time
	known        bool
}

// mostUndo bounds the steps back.
const mostUndo = 200

// oneMove is how close moves of a kind are to be one step: a drag is hundreds.
const oneMove = time.Second

// Start sets where all goes out from: what the program itself changed is no step.
func (u *Undo) Start(l Look) { u.now, u.known, u.kind = l, true, "" }

// Note takes a new look, which kind of change led to it, and when. Changes of a kind that follow each other closely are one step, those of kind
// "" never.
func (u *Undo) Note(l Look, kind string, at time.Time) {
	switch {
	case !u.known:
		u.Start(l)
		return
	case reflect.DeepEqual(l, u.now):
		return
	case kind != "" && kind == u.kind && at.Sub(u.at) < oneMove && len(u.past) > 0:
	default:
		if u.past = append(u.past, u.now); len(u.past) > mostUndo {
			u.past = u.past[1:]
		}
	}
	u.now, u.kind, u.at, u.future = l, kind, at, nil
}

// Back returns the look before; false without one.
func (u *Undo) Back() (Look, bool) { return u.step(&u.past, &u.future) }

// Forth takes a step back back.
func (u *Undo) Forth() (Look, bool) { return u.step(&u.future, &u.past) }

func (u *Undo) step(from, to *[]Look) (Look, bool) {
	n := len(*from) - 1
	if n < 0 {
		return Look{}, false
	}
	*to = append(*to, u.now)
	u.now, u.kind = (*from)[n], ""
	*from = (*from)[:n]
	return u.now, true
}
