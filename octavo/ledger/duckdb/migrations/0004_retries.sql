-- When failed items of a batch were last made pending again; NULL for never. The archive is told by it.

ALTER TABLE batches ADD COLUMN retried_at TIMESTAMP;
