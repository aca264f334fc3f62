-- Where a log stands holds for the meter that it was read of. Unknown in older rows: such logs are read once more.
ALTER TABLE field_log ADD COLUMN serial TEXT NOT NULL DEFAULT '';
