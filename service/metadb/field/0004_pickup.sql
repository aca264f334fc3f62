-- Folders and FTP servers whose files are about one meter, and what was fetched from such a server.
CREATE TABLE field_pickup (
	id            TEXT NOT NULL PRIMARY KEY,
	meter_uid     TEXT NOT NULL,
	folder        TEXT NOT NULL,
	ftp           TEXT NOT NULL,
	password_file TEXT NOT NULL,
	zone          TEXT NOT NULL,
	names         TEXT NOT NULL, -- NAME=KEY, a line each
	use_primary   INTEGER NOT NULL,
	every_s       INTEGER NOT NULL
) STRICT;

CREATE TABLE field_fetched (
	pickup_id TEXT NOT NULL REFERENCES field_pickup (id) ON DELETE CASCADE,
	name      TEXT NOT NULL,
	mark      TEXT NOT NULL, -- size and time there when it was fetched
	PRIMARY KEY (pickup_id, name)
) STRICT, WITHOUT ROWID;
