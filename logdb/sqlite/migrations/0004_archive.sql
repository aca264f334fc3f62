-- Files of full resolution below the archive folder, and where the values of old chunks lie in them.
CREATE TABLE archive (
	id INTEGER PRIMARY KEY,
	meter INTEGER NOT NULL REFERENCES meter (id),
	kind INTEGER NOT NULL,
	month INTEGER NOT NULL,               -- since January 1970
	number INTEGER NOT NULL,              -- higher each time that the month is written anew
	name TEXT NOT NULL UNIQUE,
	state INTEGER NOT NULL,               -- 0 being written, 1 verified, 2 in use, 3 replaced
	parts INTEGER NOT NULL DEFAULT 0,
	points INTEGER NOT NULL DEFAULT 0,
	size INTEGER NOT NULL DEFAULT 0,
	sha256 BLOB NOT NULL DEFAULT x'',
	tail INTEGER NOT NULL DEFAULT 0,      -- where the description of its parts begins
	tail_crc INTEGER NOT NULL DEFAULT 0,
	changed_ms INTEGER NOT NULL           -- when it came into this state
) STRICT;
CREATE INDEX archive_month ON archive (meter, kind, month);

-- The values of a chunk whose data are empty; of one with data, a copy.
CREATE TABLE archived (
	chunk INTEGER PRIMARY KEY,
	file INTEGER NOT NULL REFERENCES archive (id),
	part INTEGER NOT NULL,
	first INTEGER NOT NULL,               -- the part's bytes in the file
	size INTEGER NOT NULL,
	crc INTEGER NOT NULL
) STRICT;
CREATE INDEX archived_file ON archived (file);

-- The 15-minute tier, of cells whose values are in the archive: id as in roll.
CREATE TABLE quarter (
	id INTEGER PRIMARY KEY,
	exact INTEGER NOT NULL,               -- 1: all values are decimal, so that sums of sums are the same bits
	crc INTEGER NOT NULL,
	data BLOB NOT NULL
) STRICT;

-- Cells of a log of which the values are gone for good: only tiers and the rows' times are left.
CREATE TABLE gone (
	stream INTEGER NOT NULL REFERENCES stream (id),
	log INTEGER NOT NULL,
	day INTEGER NOT NULL,                 -- first of the cell
	at_ms INTEGER NOT NULL,
	PRIMARY KEY (stream, log, day)
) STRICT, WITHOUT ROWID;

-- Changes that came when what they change was gone, so that the tiers do not have them.
CREATE TABLE unapplied (
	stream INTEGER NOT NULL REFERENCES stream (id),
	log INTEGER NOT NULL,
	time_ms INTEGER NOT NULL,             -- of the row that they change
	position INTEGER NOT NULL,            -- of the change
	PRIMARY KEY (stream, log, time_ms, position)
) STRICT, WITHOUT ROWID;

-- Before these days the tiers were dropped, so that they are not missed.
ALTER TABLE meter ADD COLUMN quarter_from INTEGER NOT NULL DEFAULT 0;
ALTER TABLE meter ADD COLUMN hour_from INTEGER NOT NULL DEFAULT 0;
