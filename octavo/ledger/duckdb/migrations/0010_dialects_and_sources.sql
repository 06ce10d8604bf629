-- What a second dialect needs: which dialect a batch speaks, what an item is made of and what its customer noted on it.
-- An item has its customer, so that it is found and listed without its batch. Items of before are of files.

ALTER TABLE batches ADD COLUMN dialect VARCHAR DEFAULT 'extract.page';
ALTER TABLE items ADD COLUMN dialect VARCHAR DEFAULT 'extract.page';
ALTER TABLE items ADD COLUMN source_kind VARCHAR DEFAULT 'file';
ALTER TABLE items ADD COLUMN source_name VARCHAR;
ALTER TABLE items ADD COLUMN source_url VARCHAR;
ALTER TABLE items ADD COLUMN metadata VARCHAR;
ALTER TABLE items ADD COLUMN customer_id VARCHAR;

UPDATE items SET customer_id = b.customer_id FROM batches b WHERE b.batch_no = items.batch_no;
UPDATE items SET source_name = f.filename FROM files f WHERE f.file_id = items.file_id AND f.filename IS NOT NULL;
