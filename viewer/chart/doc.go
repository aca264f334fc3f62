// Package chart draws what engineers look at: trends, waveforms, phasors, harmonics, tolerance scatters, event
// timelines, heatmaps and bars. The same drawing gives a screen image, PNG, SVG and PDF.
//
// Owns: ticks of time and values, reduction of many values to pixel columns, layout, styles.
// Does not own: reading data, what a figure means (logdb/pq), windows and cursors.
// May import: logdb and its leaves; gonum/plot for canvases and fonts.
// Start reading at: drawing.go (Drawing, PNG, SVG, PDF), then trend.go.
package chart
