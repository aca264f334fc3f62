-- Journals that were given another id: a log database that has one of them again was restored from a backup.
CREATE TABLE cloud_gone (
	journal TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;
