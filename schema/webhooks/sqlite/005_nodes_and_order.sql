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

-- One node at a time sends, where limits are not divided among nodes: delivery_nodes.epoch of that node, and until
-- when others wait for it.
ALTER TABLE endpoints ADD COLUMN lease_epoch INTEGER;
ALTER TABLE endpoints ADD COLUMN lease_until INTEGER;

INSERT INTO hookline_schema_migrations (version, name) VALUES (5, 'nodes_and_order');

COMMIT;
