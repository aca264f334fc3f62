// Metermanager-viewer opens logs of meters: of services and clouds, of log database files, PQDIF, COMTRADE and CSV.
//
// Owns: the command line of the log viewer; the only import of Fyne's app package, which needs cgo and OpenGL.
// Does not own: the window (viewer/desktop), what it shows (viewer/model).
// May import: viewer/desktop, viewer/source.
// Start reading at: main.go (run).
package main
