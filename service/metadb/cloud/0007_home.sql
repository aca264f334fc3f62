-- Which customer runs the node. By its age a clock that was wrong could make it another one.
ALTER TABLE customer ADD COLUMN home INTEGER NOT NULL DEFAULT 0;
UPDATE customer SET home = 1 WHERE id = (SELECT id FROM customer ORDER BY created_ms, id LIMIT 1);
