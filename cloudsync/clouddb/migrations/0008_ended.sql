-- Generations of which the last destination was removed: their pages may still come to the others by another way, and
-- their names are given to no other stream.
CREATE TABLE cloud_ended (
	journal TEXT NOT NULL,
	generation TEXT NOT NULL,
	last INTEGER NOT NULL,    -- the journal's end when the stream decided last
	PRIMARY KEY (journal, generation)
) STRICT, WITHOUT ROWID;
