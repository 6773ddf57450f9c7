-- Migration 5 of the webhooks' set: nodes that take over from each other.
--
-- Applied as migration 1 is: by hooksd at start, by `hooksctl migrate`, or by hand with
--
--     sqlite3 -bail hookline.db < 005_nodes_and_order.sql
--
-- One transaction. Run a second time it stops at its first statement and changes nothing.

BEGIN IMMEDIATE;

-- Its HL_NODE_TIMEOUT_SECS: no other node adopts it after a shorter silence.
ALTER TABLE delivery_nodes ADD COLUMN timeout_ms INTEGER NOT NULL DEFAULT 30000;

INSERT INTO hookline_schema_migrations (version, name) VALUES (5, 'nodes_and_order');

COMMIT;
