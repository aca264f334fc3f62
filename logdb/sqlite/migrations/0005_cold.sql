-- The samples of a recording that has no row in sample.
CREATE TABLE cold (
	entry INTEGER PRIMARY KEY REFERENCES entry (id),
	file INTEGER REFERENCES archive (id), -- NULL: they are gone for good
	part INTEGER NOT NULL,
	first INTEGER NOT NULL,               -- the part's bytes in the file
	size INTEGER NOT NULL,
	crc INTEGER NOT NULL
) STRICT;
CREATE INDEX cold_file ON cold (file);
