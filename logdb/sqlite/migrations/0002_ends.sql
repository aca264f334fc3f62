-- The last ends of its journal that pages of a stream stated (logdb.Ends).
ALTER TABLE stream ADD COLUMN ends BLOB NOT NULL DEFAULT x'';
