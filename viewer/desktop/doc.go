// Package desktop is the window of the log viewer: it draws the view models with Fyne.
//
// Owns: widgets, themes, keys, drag and drop, the one place where background results enter the window (work.go).
// Does not own: what is shown and what follows from an intent (viewer/model); it reads no data itself.
// May import: viewer/model, viewer/source, logdb and its leaves, viewer/chart, viewer/timeline; Fyne without its app package.
// Start reading at: window.go (Window), work.go, then the views: eventsview.go, trendview.go, waveview.go.
package desktop
