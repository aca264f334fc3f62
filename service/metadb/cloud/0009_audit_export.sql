-- Where the audit is sent.
CREATE TABLE audit_export (
	name        TEXT PRIMARY KEY,
	url         TEXT NOT NULL,
	format      TEXT NOT NULL,
	view        TEXT NOT NULL,
	ca          TEXT NOT NULL,
	fingerprint TEXT NOT NULL,
	position    INTEGER NOT NULL -- number of the last event that it is known to have
) STRICT;
