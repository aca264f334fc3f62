-- The meters of a site, where their retrieval stands and what was done.
CREATE TABLE field_meter (
	uid        TEXT NOT NULL PRIMARY KEY,
	name       TEXT NOT NULL,
	address    TEXT NOT NULL,
	unit       INTEGER NOT NULL,
	profile    TEXT NOT NULL,
	zone       TEXT NOT NULL,
	serial     TEXT NOT NULL,
	enabled    INTEGER NOT NULL,
	retrieve_s INTEGER NOT NULL,
	live_s     INTEGER NOT NULL,
	log_s      INTEGER NOT NULL,
	added_ms   INTEGER NOT NULL,
	UNIQUE (address, unit)
) STRICT;

CREATE TABLE field_log (
	uid             TEXT NOT NULL REFERENCES field_meter (uid) ON DELETE CASCADE,
	log             TEXT NOT NULL,
	next            INTEGER NOT NULL,
	used            INTEGER NOT NULL,
	max             INTEGER NOT NULL,
	last_stamp      TEXT NOT NULL,
	sets_dst        INTEGER NOT NULL,
	records         INTEGER NOT NULL,
	last_success_ms INTEGER NOT NULL,
	last_error      TEXT NOT NULL,
	error_ms        INTEGER NOT NULL,
	PRIMARY KEY (uid, log)
) STRICT, WITHOUT ROWID;

CREATE TABLE field_history (
	id        INTEGER PRIMARY KEY AUTOINCREMENT,
	uid       TEXT NOT NULL REFERENCES field_meter (uid) ON DELETE CASCADE,
	start_ms  INTEGER NOT NULL,
	took_ms   INTEGER NOT NULL,
	action    TEXT NOT NULL,
	cause     TEXT NOT NULL,
	records   INTEGER NOT NULL,
	error     TEXT NOT NULL
) STRICT;

CREATE INDEX field_history_by_meter ON field_history (uid, id);
