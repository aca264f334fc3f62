// Package pickup takes the files of meters from folders and FTP servers into their logs.
//
// Owns: which folders are watched for which meter, when a file is whole, what becomes of it afterwards.
// Does not own: file formats (logdb/format), the log database, the list of meters.
// May import: logdb, logdb/format and below.
// Start reading at: Runner.Run, then folder.go.
package pickup
