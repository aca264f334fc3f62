package desktop

import (
	"fmt"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"

	"metermanager/logdb/format/csvlog"
	"metermanager/viewer/model"
)

// trendTable is the twin of the graph.
type trendTable struct {
	w     *Window
	root  fyne.CanvasObject
	data  *model.Table
	head  *headRow
	list  *rows
	cols  columns
	by    int // the column that it is sorted by
	down  bool
	note  *words
	stack *fyne.Container
}

func newTrendTable(w *Window) *trendTable {
	t := &trendTable{w: w, data: &model.Table{}, note: newWords(w.look, "", 12, colorFaint, false), stack: container.NewStack()}
	t.root = t.stack
	return t
}

// refresh makes the table of what is seen, if it is shown.
func (t *trendTable) refresh(shown bool) {
	if !shown {
		return
	}
	t.data = t.w.trend.Table()
	t.cols = columns{230}
	for range t.data.Head {
		t.cols = append(t.cols, 150)
	}
	if t.by > len(t.data.Head) {
		t.by, t.down = 0, false
	}
	t.data.Sort(t.by, t.down)
	t.head = newHeadRow(t.w.look, &t.cols, func(column int) {
		t.down = t.by == column && !t.down
		t.by = column
		t.refresh(true)
	})
	t.head.show(append([]string{"Time (" + t.data.Zone.String() + ")"}, t.data.Head...), t.by, t.down)
	t.list = newRows(func() int { return len(t.data.Rows) }, func() fyne.CanvasObject { return newTextRow(t.w.look, &t.cols, 0) }, func(i int, o fyne.CanvasObject) {
		if i >= len(t.data.Rows) {
			return
		}
		row := &t.data.Rows[i]
		cells := []string{model.Clock(row.At, t.data.Zone)}
		for _, v := range row.Values {
			cells = append(cells, csvlog.Value(v))
		}
		if r := o.(*textRow); len(cells) == len(r.full) {
			r.set(cells, 0, false)
		}
	})
	t.list.key, t.list.rune = t.w.typedKey, t.w.typedRune
	note := fmt.Sprintf("%d rows", len(t.data.Rows))
	if t.data.Means != "" {
		note += " · " + t.data.Means + ": zoom in for every record"
	}
	t.note.set(note)
	t.stack.Objects = []fyne.CanvasObject{container.NewBorder(container.NewVBox(t.head, rule(t.w.look)), inset(2, 4, 10, 10, t.note), nil, nil, t.list)}
	t.stack.Refresh()
}
