-- Limits that the manager watches for a meter that keeps no limit log.
ALTER TABLE field_meter ADD COLUMN limits TEXT NOT NULL DEFAULT '';
