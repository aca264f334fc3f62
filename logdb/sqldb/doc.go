// Package sqldb opens a database, an SQLite file or one of PostgreSQL, for one writer and several readers, with the
// settings that make a commit durable, and brings its tables up to date. Statements are written once for both.
//
// Owns: the drivers, connection settings, the writer's turn, numbered migrations.
// Does not own: any table but the list of migrations.
// May import: the standard library, modernc.org/sqlite and github.com/jackc/pgx/v5; nothing of ours.
// Start reading at: sqldb.go (Open, Write, Read), then migrate.go.
package sqldb
