package desktop

import (
	"os"
	"path/filepath"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"

	"metermanager/viewer/source"
)

const recordFile = "../../logdb/format/comtrade/testdata/wisp_1.cfg"

// Files that are opened show what they hold; keys go on from there.
func TestOpenAndKeys(t *testing.T) {
	w := testWindow(t)
	w.settled = false
	w.waiting = 1
	w.open(source.Target{Place: recordFile})
	if w.view != viewWave || w.wave.Data == nil || len(w.tree.lines) != 2 {
		t.Fatalf("a record shows %s, %d lines of the tree", w.view, len(w.tree.lines))
	}
	if n := w.waveView.plot.wide; n > 0 && w.waveView.plot.img == nil {
		t.Error("the plot has no picture")
	}
	w.typedRune('c')
	if w.waveView.plot.cursors[0].value != w.wave.A-w.wave.Zero() {
		t.Error("c sets a cursor where the model says")
	}
	was := w.wave.A
	w.typedKey(&fyne.KeyEvent{Name: fyne.KeyRight})
	if !(w.wave.A > was) {
		t.Error("an arrow moves the cursor")
	}
	w.typedRune('+')
	if w.wave.To-w.wave.From >= w.wave.Length() {
		t.Error("+ zooms")
	}
	out := filepath.Join(t.TempDir(), "a.csv")
	w.export(out)
	if info, err := os.Stat(out); err != nil || info.Size() < 10_000 {
		t.Errorf("the export is %v, %v", info, err)
	}
	w.typedRune('g')
	w.typedRune('e')
	if w.view != viewEvents {
		t.Errorf("g e goes to %s", w.view)
	}
}

// What cannot be opened fills the page with what to do, and keeps none of the others back.
func TestRefusedFile(t *testing.T) {
	w := testWindow(t)
	w.open(source.Target{Place: "doc.go"})
	if w.failedSource() == nil || w.stage.Objects[0] == w.pages[w.view] {
		t.Fatal("a file that is no log fills the page")
	}
	w.open(source.Target{Place: recordFile})
	if w.stage.Objects[0] != w.pages[w.view] || len(w.events.Set.List) != 1 {
		t.Error("another one is shown all the same")
	}
}

// The filter hides rows; an event beyond it is found again.
func TestFilterAndGoTo(t *testing.T) {
	w := testWindow(t)
	w.events.Take(manyEvents(500))
	test.Type(w.eventsView.search, "interruption")
	n := len(w.events.Shown)
	if n == 0 || n == 500 || w.events.Filter.Text != "interruption" {
		t.Fatalf("%d of 500 pass", n)
	}
	hidden := -1
	for i := range w.events.Set.List {
		if w.events.Set.List[i].Name != "Interruption" {
			hidden = i
		}
	}
	w.eventsView.goTo(hidden)
	if w.events.Row() < 0 || w.events.Selected != hidden {
		t.Error("an event that the filter hid was not brought into sight")
	}
}
