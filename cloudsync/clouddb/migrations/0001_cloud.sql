CREATE TABLE cloud_destination (
	id INTEGER PRIMARY KEY,
	name TEXT NOT NULL,
	enabled INTEGER NOT NULL,
	host TEXT NOT NULL,
	port INTEGER NOT NULL,
	rootpath TEXT NOT NULL,
	location TEXT NOT NULL,
	customer TEXT NOT NULL,
	user TEXT NOT NULL,
	password BLOB,            -- sealed
	apikey BLOB,              -- sealed
	token BLOB,               -- sealed
	expires_ms INTEGER NOT NULL,
	manual_register INTEGER NOT NULL,
	channels TEXT NOT NULL,   -- JSON, null: all
	limits TEXT NOT NULL      -- JSON, null: the usual ones
) STRICT;

CREATE TABLE cloud_meter (
	destination INTEGER NOT NULL REFERENCES cloud_destination(id) ON DELETE CASCADE,
	meter TEXT NOT NULL,
	cloud_uid TEXT NOT NULL,
	enabled INTEGER NOT NULL,
	upload_enabled INTEGER NOT NULL,
	registered BLOB NOT NULL, -- digest of the settings that the cloud was told last
	parked TEXT NOT NULL,
	PRIMARY KEY (destination, meter)
) STRICT, WITHOUT ROWID;

CREATE TABLE cloud_stream (
	id INTEGER PRIMARY KEY,
	destination INTEGER NOT NULL REFERENCES cloud_destination(id) ON DELETE CASCADE,
	meter TEXT NOT NULL,
	kind INTEGER NOT NULL,
	journal TEXT NOT NULL,
	generation TEXT NOT NULL,
	policy TEXT NOT NULL,     -- JSON
	state TEXT NOT NULL,      -- JSON: where the decisions go on
	closed INTEGER NOT NULL,  -- position of the end, 0: open
	journal_end INTEGER NOT NULL,
	chain BLOB NOT NULL,
	UNIQUE (destination, meter, kind, journal, generation)
) STRICT;

-- The fates of one stream, cut into chunks of 4096 positions, so that a decision writes little.
CREATE TABLE cloud_fates (
	stream INTEGER NOT NULL REFERENCES cloud_stream(id) ON DELETE CASCADE,
	chunk INTEGER NOT NULL,
	fates BLOB NOT NULL,      -- logdb.FateSet
	PRIMARY KEY (stream, chunk)
) STRICT, WITHOUT ROWID;

-- Which positions of a journal change which: a fact of the journal.
CREATE TABLE cloud_change (
	journal TEXT NOT NULL,
	target INTEGER NOT NULL,
	position INTEGER NOT NULL,
	PRIMARY KEY (journal, target, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE cloud_limit_count (
	destination INTEGER NOT NULL REFERENCES cloud_destination(id) ON DELETE CASCADE,
	journal TEXT NOT NULL,
	cut TEXT NOT NULL,
	start_ms INTEGER NOT NULL,
	span TEXT NOT NULL,
	count INTEGER NOT NULL,
	PRIMARY KEY (destination, journal, cut, start_ms, span)
) STRICT, WITHOUT ROWID;

CREATE TABLE cloud_item (
	destination INTEGER NOT NULL REFERENCES cloud_destination(id) ON DELETE CASCADE,
	name TEXT NOT NULL,
	value BLOB NOT NULL,
	updated_ms INTEGER NOT NULL,
	PRIMARY KEY (destination, name)
) STRICT, WITHOUT ROWID;
