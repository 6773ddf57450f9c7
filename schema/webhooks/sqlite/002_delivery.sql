-- Migration 2 of the webhooks' set. Versions are those of PostgreSQL, where it makes a function: SQLite has none.
--
-- Applied as migration 1 is: by hooksd at start, by `hooksctl migrate`, or by hand with
--
--     sqlite3 -bail hookline.db < 002_delivery.sql
--
-- One transaction. Run a second time it stops at its first statement and changes nothing.

BEGIN IMMEDIATE;

-- The key that authenticates the tokens of the development receiver. One row, made with the first token.
CREATE TABLE inbox_keys (
	id INTEGER PRIMARY KEY DEFAULT 1 CHECK (id = 1), -- There is one row
	key TEXT NOT NULL -- 32 random bytes in lower-case hex. Without the row tokens that were given out are unknown
) STRICT;

INSERT INTO hookline_schema_migrations (version, name) VALUES (2, 'delivery');

COMMIT;
