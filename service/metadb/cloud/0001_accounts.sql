CREATE TABLE customer (
	id         TEXT PRIMARY KEY,
	name       TEXT NOT NULL,
	key_hash   BLOB NOT NULL UNIQUE,
	sealed_key BLOB NOT NULL,
	created_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE user (
	id            TEXT PRIMARY KEY,
	customer      TEXT NOT NULL REFERENCES customer (id),
	name          TEXT NOT NULL,
	name_key      TEXT NOT NULL UNIQUE, -- lower case
	password_hash BLOB NOT NULL,
	permissions   TEXT NOT NULL,
	disabled      INTEGER NOT NULL DEFAULT 0,
	created_ms    INTEGER NOT NULL
) STRICT;
CREATE INDEX user_customer ON user (customer);

CREATE TABLE session (
	token        BLOB PRIMARY KEY, -- SHA-256
	user         TEXT NOT NULL REFERENCES user (id) ON DELETE CASCADE,
	created_ms   INTEGER NOT NULL,
	expires_ms   INTEGER NOT NULL,
	last_used_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX session_user ON session (user);

CREATE TABLE api_key (
	id           TEXT PRIMARY KEY,
	customer     TEXT REFERENCES customer (id), -- NULL: of a meter that is nobody's yet
	name         TEXT NOT NULL,
	hash         BLOB NOT NULL UNIQUE, -- SHA-256
	permissions  TEXT NOT NULL,
	meter        TEXT NOT NULL DEFAULT '', -- '': all meters of the customer
	created_by   TEXT NOT NULL DEFAULT '',
	created_ms   INTEGER NOT NULL,
	last_used_ms INTEGER NOT NULL DEFAULT 0,
	revoked_ms   INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX api_key_customer ON api_key (customer);
CREATE INDEX api_key_meter ON api_key (meter);
