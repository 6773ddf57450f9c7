-- Migration 5 of the webhooks' set: nodes that take over from each other, and endpoints that keep an order.
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

-- The order of endpoints with fifo. Rows of other endpoints are in neither of the first two indexes.
CREATE INDEX jobs_fifo_seq_idx ON jobs (tenant_id, endpoint_id, fifo_seq, job_id) WHERE fifo_seq IS NOT NULL;
-- True: as long as it is here nothing of its order is sent (fifo with on_dead: block).
ALTER TABLE dlq ADD COLUMN blocks INTEGER NOT NULL DEFAULT 0;
CREATE INDEX dlq_blocks_idx ON dlq (tenant_id, endpoint_id) WHERE blocks;
-- The one node that sends what the endpoint gets. ordering_key is empty: an endpoint counts all its jobs together;
-- blocked_by is not used.
ALTER TABLE fifo_heads ADD COLUMN node_id INTEGER;
CREATE INDEX fifo_heads_node_id_idx ON fifo_heads (node_id);

INSERT INTO hookline_schema_migrations (version, name) VALUES (5, 'nodes_and_order');

COMMIT;
