-- How many pages a minute of what has waited go to a destination; 0: as many as it takes.
ALTER TABLE cloud_destination ADD COLUMN drain_rate INTEGER NOT NULL DEFAULT 0;
