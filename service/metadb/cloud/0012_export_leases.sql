-- Several nodes before one database share the targets of the audit: each is served by the node that holds it. id tells a target from one of
-- the same name before it.
ALTER TABLE audit_export ADD COLUMN id TEXT NOT NULL DEFAULT '';
ALTER TABLE audit_export ADD COLUMN holder TEXT NOT NULL DEFAULT '';
ALTER TABLE audit_export ADD COLUMN held_until_ms INTEGER NOT NULL DEFAULT 0;
