// Package sqldb opens an SQLite database for one writer and several readers, with the
// settings that make a commit durable, and brings its tables up to date.
//
// Owns: the driver, connection settings, the writer's turn, numbered migrations.
// Does not own: any table but the list of migrations.
// May import: the standard library and modernc.org/sqlite; nothing of ours.
// Start reading at: sqldb.go (Open, Write, Read), then migrate.go.
package sqldb
