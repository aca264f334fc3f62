CREATE TABLE meter (
	uid          TEXT PRIMARY KEY,
	customer     TEXT REFERENCES customer (id), -- NULL: nobody's yet
	manufacturer TEXT NOT NULL, -- lower case
	serial       TEXT NOT NULL,
	enabled      INTEGER NOT NULL DEFAULT 1,
	claim_hash   BLOB, -- SHA-256
	created_ms   INTEGER NOT NULL,
	removed_ms   INTEGER NOT NULL DEFAULT 0,
	UNIQUE (manufacturer, serial)
) STRICT;
CREATE INDEX meter_customer ON meter (customer);
