-- The name under which the journal of a stream travels, '' for its own id: a cloud that is sent other channels than the
-- others gets them under a name of its own.
ALTER TABLE cloud_stream ADD COLUMN name TEXT NOT NULL DEFAULT '';

-- Generations of which the last destination was removed: their pages may still come to the others by another way, and
-- their names are given to no other stream.
CREATE TABLE cloud_ended (
	journal TEXT NOT NULL,
	generation TEXT NOT NULL,
	name TEXT NOT NULL,       -- as in cloud_stream
	policy TEXT NOT NULL,     -- JSON
	last INTEGER NOT NULL,    -- the journal's end when the stream decided last
	PRIMARY KEY (journal, generation)
) STRICT, WITHOUT ROWID;
