-- What is kept apart of streams and decisions, so that what was lost, changed or added by hand is noticed.
ALTER TABLE cloud_stream ADD COLUMN checked INTEGER NOT NULL DEFAULT 0; -- 0: of an older version, until it is written again

CREATE TABLE cloud_check (
	stream INTEGER PRIMARY KEY REFERENCES cloud_stream(id) ON DELETE CASCADE,
	meter TEXT NOT NULL,
	kind INTEGER NOT NULL,
	journal TEXT NOT NULL,
	generation TEXT NOT NULL,
	fates_a INTEGER NOT NULL,  -- logdb.FateTally
	fates_b INTEGER NOT NULL,
	sum INTEGER NOT NULL       -- of the row of cloud_stream and its sets
) STRICT;

-- logdb.Tally of rows of cloud_limit_count (what: count and the cut) and of cloud_change (what: change, destination 0).
CREATE TABLE cloud_tally (
	destination INTEGER NOT NULL,
	journal TEXT NOT NULL,
	what TEXT NOT NULL,
	n INTEGER NOT NULL,
	a INTEGER NOT NULL,
	b INTEGER NOT NULL,
	PRIMARY KEY (destination, journal, what)
) STRICT, WITHOUT ROWID;
