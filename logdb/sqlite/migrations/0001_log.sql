-- What is known of meters.
CREATE TABLE meter (
	id INTEGER PRIMARY KEY,
	uid TEXT NOT NULL UNIQUE,
	settings TEXT,                        -- JSON of logdb.Settings; NULL when there are none
	step_ms INTEGER NOT NULL,             -- of the hour tier, by the zone's offsets
	rebuild INTEGER NOT NULL DEFAULT 0    -- 1: the hour tier has another step
) STRICT;

CREATE TABLE snapshot (
	meter INTEGER NOT NULL REFERENCES meter (id),
	id BLOB NOT NULL,
	data BLOB NOT NULL,
	UNIQUE (meter, id)
) STRICT;

CREATE TABLE channel (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE) STRICT;

-- One row per stream.
CREATE TABLE stream (
	id INTEGER PRIMARY KEY,
	meter INTEGER NOT NULL REFERENCES meter (id),
	kind INTEGER NOT NULL,
	journal TEXT NOT NULL,
	policy TEXT NOT NULL,
	own INTEGER NOT NULL,
	source TEXT NOT NULL,
	journal_end INTEGER NOT NULL,
	chain BLOB NOT NULL,
	created_ms INTEGER NOT NULL,
	revised INTEGER NOT NULL DEFAULT 0,   -- 1: holds revises or withdraws
	UNIQUE (meter, kind, journal, policy)
) STRICT;
CREATE UNIQUE INDEX stream_own ON stream (meter, kind) WHERE own = 1;
CREATE UNIQUE INDEX stream_source ON stream (meter, kind, source) WHERE source <> '';

-- The fates of a stream's positions, a few hundred ranges in each row, so that a page rewrites only the last.
CREATE TABLE fate (
	id INTEGER PRIMARY KEY,
	stream INTEGER NOT NULL REFERENCES stream (id),
	first INTEGER NOT NULL,
	last INTEGER NOT NULL,
	data BLOB NOT NULL
) STRICT;
CREATE INDEX fate_range ON fate (stream, last);

-- Chain at the end of each batch of an own journal.
CREATE TABLE batch (
	stream INTEGER NOT NULL REFERENCES stream (id),
	last INTEGER NOT NULL,
	chain BLOB NOT NULL,
	PRIMARY KEY (stream, last)
) STRICT, WITHOUT ROWID;

-- One channel of one log of a stream; channel 0 holds the marks of the log's rows.
CREATE TABLE series (
	id INTEGER PRIMARY KEY,
	meter INTEGER NOT NULL REFERENCES meter (id),
	stream INTEGER NOT NULL REFERENCES stream (id),
	log INTEGER NOT NULL,
	channel INTEGER NOT NULL,
	UNIQUE (stream, log, channel)
) STRICT;
CREATE INDEX series_meter ON series (meter);

-- Count, range and last value of all series of a log in one row, since every page changes all of them.
CREATE TABLE extent (
	id INTEGER PRIMARY KEY,
	meter INTEGER NOT NULL REFERENCES meter (id),
	stream INTEGER NOT NULL REFERENCES stream (id),
	log INTEGER NOT NULL,
	data BLOB NOT NULL,
	UNIQUE (stream, log)
) STRICT;
CREATE INDEX extent_meter ON extent (meter);

-- Accepted pages that wait for the compactor.
CREATE TABLE head (
	seq INTEGER PRIMARY KEY,
	stream INTEGER NOT NULL REFERENCES stream (id),
	log INTEGER NOT NULL,
	t_min INTEGER NOT NULL,
	t_max INTEGER NOT NULL,
	p_min INTEGER NOT NULL,
	p_max INTEGER NOT NULL,
	n INTEGER NOT NULL,
	received_ms INTEGER NOT NULL,
	crc INTEGER NOT NULL,
	data BLOB NOT NULL
) STRICT;
CREATE INDEX head_log ON head (stream, log, n, received_ms);

-- Compacted values: id is series << 24 | first day since 1970, so that a range of a series is one range of ids.
CREATE TABLE chunk (
	id INTEGER PRIMARY KEY,
	days INTEGER NOT NULL,
	n INTEGER NOT NULL,
	t_min INTEGER NOT NULL,
	t_max INTEGER NOT NULL,
	p_min INTEGER NOT NULL,
	p_max INTEGER NOT NULL,
	crc INTEGER NOT NULL,
	data BLOB NOT NULL
) STRICT;

-- The hour tier, 28 days a row: id is series << 24 | first day.
CREATE TABLE roll (
	id INTEGER PRIMARY KEY,
	crc INTEGER NOT NULL,
	data BLOB NOT NULL
) STRICT;

-- Rows that changed since they were compacted: what to hide and what to show, until the compactor applies it.
CREATE TABLE patch (
	stream INTEGER NOT NULL REFERENCES stream (id),
	log INTEGER NOT NULL,
	position INTEGER NOT NULL,            -- of the original add
	hide_ms INTEGER,                      -- the row of this time and position is no longer live
	show_ms INTEGER,                      -- the row in data is live at this time
	run INTEGER NOT NULL,
	generation INTEGER NOT NULL,
	data BLOB,
	PRIMARY KEY (stream, log, position)
) STRICT, WITHOUT ROWID;

-- Every entry of a journal but the live historical adds: events, recordings, changes, skips, closes, gaps and
-- historical adds that were superseded.
CREATE TABLE entry (
	id INTEGER PRIMARY KEY,
	meter INTEGER NOT NULL REFERENCES meter (id),
	kind INTEGER NOT NULL,
	stream INTEGER NOT NULL REFERENCES stream (id),
	position INTEGER NOT NULL,
	op INTEGER NOT NULL,
	target INTEGER NOT NULL,
	log INTEGER NOT NULL,
	time_ms INTEGER NOT NULL,
	shown INTEGER NOT NULL,               -- the stream that the record counts for
	live INTEGER NOT NULL,
	channel TEXT NOT NULL,
	code INTEGER NOT NULL,                -- limit id or type of a system event
	digest BLOB NOT NULL,
	crc INTEGER NOT NULL,
	data BLOB NOT NULL,
	UNIQUE (stream, position)
) STRICT;
CREATE INDEX entry_time ON entry (meter, kind, time_ms) WHERE kind <> 1;
CREATE INDEX entry_gap ON entry (meter, kind, time_ms) WHERE op = 6;
CREATE INDEX entry_target ON entry (stream, target) WHERE target <> 0;

-- The samples of a recording.
CREATE TABLE sample (
	entry INTEGER PRIMARY KEY REFERENCES entry (id),
	data BLOB NOT NULL
) STRICT;

-- What the node claims to hold of each day, apart from the data.
CREATE TABLE claim (
	stream INTEGER NOT NULL REFERENCES stream (id),
	log INTEGER NOT NULL,
	day INTEGER NOT NULL,
	data BLOB NOT NULL,
	UNIQUE (stream, log, day)
) STRICT;

-- Records that took a slot of a limit.
CREATE TABLE slot (
	stream INTEGER NOT NULL REFERENCES stream (id),
	time_ms INTEGER NOT NULL,
	position INTEGER NOT NULL,
	PRIMARY KEY (stream, time_ms, position)
) STRICT, WITHOUT ROWID;

-- Journals made from pages without positions: the content of each event that was seen ...
CREATE TABLE seen (
	stream INTEGER NOT NULL REFERENCES stream (id),
	digest BLOB NOT NULL,
	n INTEGER NOT NULL,
	position INTEGER NOT NULL,            -- of the entry; of the ended event for a start that came after its end
	PRIMARY KEY (stream, digest, n)
) STRICT, WITHOUT ROWID;
CREATE INDEX seen_position ON seen (stream, position);
-- ... the ended events that took the place of a start ...
CREATE TABLE ended (
	stream INTEGER NOT NULL REFERENCES stream (id),
	position INTEGER NOT NULL,
	PRIMARY KEY (stream, position)
) STRICT, WITHOUT ROWID;
-- ... and hashes of historical values that are not stored any more, 8 bytes each, sorted.
CREATE TABLE kept (
	stream INTEGER NOT NULL REFERENCES stream (id),
	day INTEGER NOT NULL,
	data BLOB NOT NULL,
	UNIQUE (stream, day)
) STRICT;

-- The meter's own bytes of consecutive positions of one log.
CREATE TABLE raw (
	id INTEGER PRIMARY KEY,
	stream INTEGER NOT NULL REFERENCES stream (id),
	log INTEGER NOT NULL,
	p_min INTEGER NOT NULL,
	p_max INTEGER NOT NULL,
	snapshot BLOB NOT NULL,
	data BLOB NOT NULL
) STRICT;
CREATE INDEX raw_log ON raw (stream, log, p_max);

CREATE TABLE open_start (
	id INTEGER PRIMARY KEY,
	meter INTEGER NOT NULL REFERENCES meter (id),
	kind INTEGER NOT NULL,
	log INTEGER NOT NULL,
	start_ms INTEGER NOT NULL,
	data BLOB NOT NULL,
	raw BLOB
) STRICT;
CREATE INDEX open_start_log ON open_start (meter, kind, log);
