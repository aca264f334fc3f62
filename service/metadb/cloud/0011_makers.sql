-- The user who made a key, by whose rights it is bound but for uploading. Keys of meters, and those that the first start made, have none.
ALTER TABLE api_key ADD COLUMN maker TEXT NOT NULL DEFAULT '';
UPDATE api_key SET maker = coalesce((SELECT u.id FROM user u WHERE u.name = api_key.created_by AND u.customer = api_key.customer), '') WHERE created_by <> '';
