-- Until when a meter is paid for. 0: no date was set.
ALTER TABLE meter ADD COLUMN expires_ms INTEGER NOT NULL DEFAULT 0;

-- When meters and extensions of customers were on: what usage reports are made of. Nothing is removed here, also not with the meter.
CREATE TABLE licence_period (
	id        INTEGER PRIMARY KEY AUTOINCREMENT,
	customer  TEXT NOT NULL,
	meter     TEXT NOT NULL, -- '': of an extension
	extension TEXT NOT NULL, -- '': of a meter
	from_ms   INTEGER NOT NULL,
	to_ms     INTEGER NOT NULL DEFAULT 0 -- 0: still on
) STRICT;
CREATE INDEX licence_period_customer ON licence_period (customer, from_ms);
CREATE UNIQUE INDEX licence_period_meter ON licence_period (meter) WHERE to_ms = 0 AND meter <> '';
CREATE UNIQUE INDEX licence_period_extension ON licence_period (customer, extension) WHERE to_ms = 0 AND extension <> '';
