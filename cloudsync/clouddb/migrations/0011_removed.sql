-- Destinations that were removed: what was decided for them stays, for one of the same address that comes (again). Their meters and secrets
-- are forgotten.
ALTER TABLE cloud_destination ADD COLUMN removed INTEGER NOT NULL DEFAULT 0;
