-- What is kept apart so that a record that was lost, changed or added by hand can be named.
ALTER TABLE stream ADD COLUMN witnessed INTEGER NOT NULL DEFAULT 0; -- 0: of an older version, not yet gone through
ALTER TABLE stream ADD COLUMN fates_a INTEGER NOT NULL DEFAULT 0;   -- logdb.FateTally of its fates
ALTER TABLE stream ADD COLUMN fates_b INTEGER NOT NULL DEFAULT 0;

-- Every row of entry, in short: what and when it was, and a hash of all of it.
CREATE TABLE witness (
	stream INTEGER NOT NULL REFERENCES stream (id),
	position INTEGER NOT NULL,
	op INTEGER NOT NULL,
	target INTEGER NOT NULL,
	log INTEGER NOT NULL,
	time_ms INTEGER NOT NULL,
	sum INTEGER NOT NULL,
	PRIMARY KEY (stream, position)
) STRICT, WITHOUT ROWID;

-- Tallies of what no claim counts: raw records, chains of batches, open starts, slots and contents.
CREATE TABLE ledger (
	stream INTEGER NOT NULL REFERENCES stream (id),
	what INTEGER NOT NULL,
	log INTEGER NOT NULL,
	day INTEGER NOT NULL,
	n INTEGER NOT NULL,
	a INTEGER NOT NULL,
	b INTEGER NOT NULL,
	PRIMARY KEY (stream, what, log, day)
) STRICT, WITHOUT ROWID;
