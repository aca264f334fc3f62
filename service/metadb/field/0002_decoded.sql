-- What a meter's records were decoded by, and corrections of transformer ratios that the meter has wrong.
ALTER TABLE field_meter ADD COLUMN ct_factor REAL NOT NULL DEFAULT 0;
ALTER TABLE field_meter ADD COLUMN pt_factor REAL NOT NULL DEFAULT 0;
ALTER TABLE field_meter ADD COLUMN decoded TEXT NOT NULL DEFAULT '';
