-- The only certificate that a destination may have, or that of its authority; '': one that the machine trusts anyway.
ALTER TABLE cloud_destination ADD COLUMN fingerprint TEXT NOT NULL DEFAULT '';
