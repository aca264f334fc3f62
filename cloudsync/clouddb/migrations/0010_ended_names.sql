-- A journal may travel under several names, each with generations of its own.
CREATE TABLE cloud_ended_made (
	journal TEXT NOT NULL,
	generation TEXT NOT NULL,
	name TEXT NOT NULL,       -- as in cloud_stream
	policy TEXT NOT NULL,     -- JSON
	last INTEGER NOT NULL,    -- the journal's end when the stream decided last
	PRIMARY KEY (journal, name, generation)
) STRICT, WITHOUT ROWID;
INSERT INTO cloud_ended_made (journal, generation, name, policy, last) SELECT journal, generation, name, policy, last FROM cloud_ended;
DROP TABLE cloud_ended;
ALTER TABLE cloud_ended_made RENAME TO cloud_ended;
