-- Whose decisions about a journal a destination uses, where they are not its own: with the same rules they are the same,
-- so the streams have the same names and what reaches a cloud by two ways is one record there.
CREATE TABLE cloud_share (
	destination INTEGER NOT NULL REFERENCES cloud_destination(id) ON DELETE CASCADE,
	journal TEXT NOT NULL,
	owner INTEGER NOT NULL,
	PRIMARY KEY (destination, journal)
) STRICT, WITHOUT ROWID;

CREATE INDEX cloud_share_owner ON cloud_share (owner, journal);
CREATE INDEX cloud_stream_journal ON cloud_stream (journal);
