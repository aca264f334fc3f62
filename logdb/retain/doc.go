// Package retain moves old data down the ladder: full resolution, 15 minutes, hours, archive.
//
// Owns: ages and what they mean for a day, the runner that applies them and tells how far it is.
// Does not own: how data move (logdb.Ladder, logdb/sqlite), where ages are kept and who may set them.
// May import: logdb.
// Start reading at: rules.go (Rules, Cutoffs), then runner.go.
package retain
