-- A gap may tell of an earlier one anew: its code is the position of that one's first version then.
CREATE INDEX entry_replaced ON entry (meter, kind, code) WHERE op = 6 AND code <> 0;
-- What was changed of a time, asked for with every answer about values: a zone that was put right changes every record of years.
CREATE INDEX entry_changed ON entry (stream, time_ms) WHERE target <> 0;
