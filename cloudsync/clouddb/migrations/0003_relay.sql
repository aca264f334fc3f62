-- Whether what others sent to this node stays here.
ALTER TABLE cloud_destination ADD COLUMN own_only INTEGER NOT NULL DEFAULT 0;
