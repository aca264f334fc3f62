// Package archive writes and reads Parquet files of full resolution, one per meter and month (FORMAT.md).
//
// Owns: the layout of the files, their names, how a file comes to stand in its folder for good.
// Does not own: which values are old enough, and who knows which file holds what (logdb/sqlite, logdb/retain).
// May import: logdb, the Parquet module.
// Start reading at: Writer and File.
package archive
