package desktop

import (
	"context"
	"errors"
	"fmt"
	"image/png"
	"os"
	"time"

	"fyne.io/fyne/v2/driver/software"

	"metermanager/viewer/model"
)

// maybeShoot saves a picture of the window when it was asked for and nothing is under way any more, and ends the program.
func (w *Window) maybeShoot() {
	if w.options.Shot == "" || !w.settled {
		return
	}
	start(w.work, "shot", "", func(_ context.Context, _ report) (struct{}, error) {
		time.Sleep(400 * time.Millisecond) // the canvas paints at its own pace
		return struct{}{}, nil
	}, func(struct{}, error) {
		if len(w.work.order) > 0 || w.pending() {
			w.maybeShoot()
			return
		}
		if err := w.shoot(); err != nil {
			fmt.Fprintln(os.Stderr, "metermanager-viewer:", err)
			w.code = 1
		}
		w.end()
	})
}

// pending reports whether a picture of a chart is being drawn.
func (w *Window) pending() bool {
	for _, p := range []*plot{w.eventsView.strip, w.trendView.plot, w.waveView.plot, w.waveView.phasors, w.waveView.bars, w.toleranceView.plot, w.nowView.plot} {
		if p.busy {
			return true
		}
	}
	return w.view == viewNow && w.now.State == model.Loading || w.wave.State == model.Loading || w.trend.State == model.Loading || w.events.State == model.Loading
}

// shoot saves what the window shows. The file appears only when it is complete.
func (w *Window) shoot() error {
	// A canvas in memory gives the same on every machine: what a graphics driver lets be read back is often blank.
	size, c := w.win.Canvas().Size(), software.NewCanvas()
	c.SetPadded(false)
	c.SetScale(w.win.Canvas().Scale())
	c.SetContent(w.win.Content())
	c.Resize(size)
	// Charts whose size differs by a pixel are drawn anew, at once: a picture that is stretched has doubled lines.
	w.work.now = true
	_ = c.Capture()
	img := c.Capture()
	f, err := os.Create(w.options.Shot + ".part")
	if err != nil {
		return fmt.Errorf("save the picture: %w", err)
	}
	if err := errors.Join(png.Encode(f, img), f.Close(), os.Rename(f.Name(), w.options.Shot)); err != nil {
		return fmt.Errorf("save the picture: %w", err)
	}
	return nil
}
