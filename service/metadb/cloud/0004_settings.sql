-- Settings of the node itself, by name.
CREATE TABLE node_setting (
	name  TEXT PRIMARY KEY,
	value TEXT NOT NULL
) STRICT;
