-- Sets of positions of a stream beside its fates: asked, whole, refused.
CREATE TABLE cloud_set (
	stream INTEGER NOT NULL REFERENCES cloud_stream(id) ON DELETE CASCADE,
	name TEXT NOT NULL,
	positions BLOB NOT NULL, -- logdb.FateSet
	PRIMARY KEY (stream, name)
) STRICT, WITHOUT ROWID;
