-- Requests for what managers did not send.
CREATE TABLE fetch_request (
	id         TEXT PRIMARY KEY,
	meter      TEXT NOT NULL,
	kind       TEXT NOT NULL,
	journal    TEXT NOT NULL,
	state      TEXT NOT NULL,
	origin     TEXT NOT NULL, -- its id at the cloud that this node relays to; '': made here
	query      TEXT NOT NULL, -- what was asked for
	streams    TEXT NOT NULL, -- JSON: what is wanted, position by position
	document   TEXT NOT NULL, -- JSON: everything else
	created_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX fetch_request_meter ON fetch_request (meter, created_ms);
CREATE INDEX fetch_request_state ON fetch_request (state);
