-- The key by which a key replaced itself, so that it can do so again as long as nobody has used that one.
ALTER TABLE api_key ADD COLUMN replaced_by TEXT NOT NULL DEFAULT '';
