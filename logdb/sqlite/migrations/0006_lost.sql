-- Archive files that were missing or damaged, and whose loss somebody has accepted.
CREATE TABLE lost (
	id INTEGER PRIMARY KEY,
	meter INTEGER NOT NULL REFERENCES meter (id),
	kind INTEGER NOT NULL,
	month INTEGER NOT NULL,               -- since January 1970
	name TEXT NOT NULL,                   -- of the file
	t_min INTEGER NOT NULL,               -- of what was lost
	t_max INTEGER NOT NULL,
	points INTEGER NOT NULL,              -- values, or recordings whose samples are lost
	at_ms INTEGER NOT NULL,               -- when it was accepted
	who TEXT NOT NULL,
	why TEXT NOT NULL
) STRICT;

-- 1: not let go for its age, but lost.
ALTER TABLE gone ADD COLUMN lost INTEGER NOT NULL DEFAULT 0;
ALTER TABLE cold ADD COLUMN lost INTEGER NOT NULL DEFAULT 0;
