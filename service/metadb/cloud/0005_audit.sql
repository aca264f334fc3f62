-- Who did what. Events of a customer ('' : the node's own) form a chain of hashes; the head says how long it is.
CREATE TABLE audit (
	seq        INTEGER PRIMARY KEY AUTOINCREMENT,
	at_ms      INTEGER NOT NULL,
	customer   TEXT NOT NULL,
	actor      TEXT NOT NULL,
	name       TEXT NOT NULL,
	address    TEXT NOT NULL,
	request_id TEXT NOT NULL,
	action     TEXT NOT NULL,
	target     TEXT NOT NULL,
	outcome    TEXT NOT NULL,
	reason     TEXT NOT NULL,
	details    TEXT NOT NULL, -- JSON
	hash       TEXT NOT NULL
) STRICT;

CREATE INDEX audit_customer ON audit (customer, seq);

CREATE TABLE audit_head (
	customer TEXT NOT NULL PRIMARY KEY,
	count    INTEGER NOT NULL,
	hash     TEXT NOT NULL
) STRICT;
