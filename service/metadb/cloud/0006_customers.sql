-- A user may belong to no customer: who waits to be let in, and who was turned away. SQLite cannot loosen a column, so the table is
-- made anew, with the sessions that refer to it.
CREATE TABLE user_made (
	id                TEXT PRIMARY KEY,
	customer          TEXT REFERENCES customer (id), -- NULL: of none
	name              TEXT NOT NULL,
	name_key          TEXT NOT NULL UNIQUE, -- lower case
	password_hash     BLOB NOT NULL,
	permissions       TEXT NOT NULL, -- granted besides those of the roles
	disabled          INTEGER NOT NULL DEFAULT 0,
	created_ms        INTEGER NOT NULL,
	email             TEXT NOT NULL DEFAULT '',
	first_name        TEXT NOT NULL DEFAULT '',
	last_name         TEXT NOT NULL DEFAULT '',
	phone             TEXT NOT NULL DEFAULT '',
	applied           TEXT REFERENCES customer (id), -- NULL: waits for none
	applied_ms        INTEGER NOT NULL DEFAULT 0,
	by_facility       INTEGER NOT NULL DEFAULT 0, -- 1: only meters of the facilities in user_facility
	banned_ms         INTEGER NOT NULL DEFAULT 0, -- 0: not banned
	banned_why        TEXT NOT NULL DEFAULT '',
	last_login_ms     INTEGER NOT NULL DEFAULT 0
) STRICT;
INSERT INTO user_made (id, customer, name, name_key, password_hash, permissions, disabled, created_ms)
	SELECT id, customer, name, name_key, password_hash, permissions, disabled, created_ms FROM user;
CREATE TABLE session_made (
	token        BLOB PRIMARY KEY, -- SHA-256
	user         TEXT NOT NULL REFERENCES user_made (id) ON DELETE CASCADE,
	created_ms   INTEGER NOT NULL,
	expires_ms   INTEGER NOT NULL,
	last_used_ms INTEGER NOT NULL
) STRICT;
INSERT INTO session_made (token, user, created_ms, expires_ms, last_used_ms)
	SELECT token, user, created_ms, expires_ms, last_used_ms FROM session;
DROP TABLE session;
DROP TABLE user;
ALTER TABLE user_made RENAME TO user;
ALTER TABLE session_made RENAME TO session;
CREATE INDEX user_customer ON user (customer);
CREATE INDEX user_applied ON user (applied);
CREATE INDEX session_user ON session (user);

ALTER TABLE customer ADD COLUMN owner TEXT NOT NULL DEFAULT ''; -- the user who owns it
ALTER TABLE customer ADD COLUMN contact_first TEXT NOT NULL DEFAULT '';
ALTER TABLE customer ADD COLUMN contact_last TEXT NOT NULL DEFAULT '';
ALTER TABLE customer ADD COLUMN contact_email TEXT NOT NULL DEFAULT '';
ALTER TABLE customer ADD COLUMN contact_phone TEXT NOT NULL DEFAULT '';
ALTER TABLE customer ADD COLUMN address TEXT NOT NULL DEFAULT '';
ALTER TABLE customer ADD COLUMN billing TEXT NOT NULL DEFAULT ''; -- JSON: what its invoices say
UPDATE customer SET owner = coalesce((SELECT id FROM user WHERE user.customer = customer.id ORDER BY user.created_ms, user.id LIMIT 1), '');

-- Roles that people made. customer NULL: for users of the whole node.
CREATE TABLE role (
	id          TEXT PRIMARY KEY,
	customer    TEXT REFERENCES customer (id) ON DELETE CASCADE,
	name        TEXT NOT NULL,
	permissions TEXT NOT NULL,
	created_ms  INTEGER NOT NULL
) STRICT;
CREATE INDEX role_customer ON role (customer);

-- role is the id of one in the table role, or one of the program's own.
CREATE TABLE user_role (
	user TEXT NOT NULL REFERENCES user (id) ON DELETE CASCADE,
	role TEXT NOT NULL,
	PRIMARY KEY (user, role)
) STRICT;
INSERT INTO user_role (user, role) SELECT id, 'system_admin' FROM user WHERE permissions LIKE '%system%';
UPDATE user SET permissions = '' WHERE permissions LIKE '%system%';

CREATE TABLE facility (
	id         TEXT PRIMARY KEY,
	customer   TEXT NOT NULL REFERENCES customer (id) ON DELETE CASCADE,
	name       TEXT NOT NULL,
	address    TEXT NOT NULL DEFAULT '',
	created_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX facility_customer ON facility (customer);

CREATE TABLE user_facility (
	user     TEXT NOT NULL REFERENCES user (id) ON DELETE CASCADE,
	facility TEXT NOT NULL REFERENCES facility (id) ON DELETE CASCADE,
	PRIMARY KEY (user, facility)
) STRICT;
CREATE INDEX user_facility_facility ON user_facility (facility);

ALTER TABLE meter ADD COLUMN facility TEXT NOT NULL DEFAULT ''; -- '': at none
ALTER TABLE meter ADD COLUMN former TEXT NOT NULL DEFAULT ''; -- the customer whose data its logs hold, once it was taken from it
CREATE INDEX meter_facility ON meter (facility);

-- What hung at a measuring point before it was replaced.
CREATE TABLE meter_hardware (
	meter        TEXT NOT NULL REFERENCES meter (uid) ON DELETE CASCADE,
	manufacturer TEXT NOT NULL,
	serial       TEXT NOT NULL,
	until_ms     INTEGER NOT NULL,
	PRIMARY KEY (meter, until_ms)
) STRICT;

CREATE TABLE invitation (
	id         TEXT PRIMARY KEY,
	customer   TEXT NOT NULL REFERENCES customer (id) ON DELETE CASCADE,
	email      TEXT NOT NULL,
	token      BLOB NOT NULL UNIQUE, -- SHA-256 of what the link holds
	roles      TEXT NOT NULL, -- ids joined by commas
	by_facility INTEGER NOT NULL DEFAULT 0,
	facilities TEXT NOT NULL DEFAULT '', -- ids joined by commas
	invited_by TEXT NOT NULL,
	created_ms INTEGER NOT NULL,
	expires_ms INTEGER NOT NULL,
	used_ms    INTEGER NOT NULL DEFAULT 0 -- accepted or taken back; 0: open
) STRICT;
CREATE INDEX invitation_customer ON invitation (customer);

-- Links by which somebody chooses a new password.
CREATE TABLE password_reset (
	token      BLOB PRIMARY KEY, -- SHA-256
	user       TEXT NOT NULL REFERENCES user (id) ON DELETE CASCADE,
	created_ms INTEGER NOT NULL,
	expires_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX password_reset_user ON password_reset (user);

-- Who said that they forgot their password, known here or not: whether there is such a user is looked up after the answer.
CREATE TABLE reset_wish (
	id      INTEGER PRIMARY KEY AUTOINCREMENT,
	name    TEXT NOT NULL,
	at_ms   INTEGER NOT NULL
) STRICT;

-- Mails that wait to be sent, and the last ones that were.
CREATE TABLE mail (
	id         TEXT PRIMARY KEY,
	customer   TEXT NOT NULL DEFAULT '',
	kind       TEXT NOT NULL,
	recipient  TEXT NOT NULL,
	subject    TEXT NOT NULL,
	body       BLOB NOT NULL, -- sealed: it may hold a link; empty once it was sent
	created_ms INTEGER NOT NULL,
	due_ms     INTEGER NOT NULL, -- of the next try
	tries      INTEGER NOT NULL DEFAULT 0,
	state      TEXT NOT NULL, -- waiting, sent, failed
	trouble    TEXT NOT NULL DEFAULT '', -- of the last try
	ended_ms   INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX mail_due ON mail (state, due_ms);
