-- What has had its time: objects that are to go from storage, and what customers have deleted.
-- Both tables hold what is still to be done, and are empty otherwise.

CREATE SEQUENCE doomed_numbers;
CREATE SEQUENCE deletion_numbers;

-- An input by its key, or a result by its id.
CREATE TABLE doomed (
    doomed_no BIGINT NOT NULL,
    customer_id VARCHAR NOT NULL,
    object_key VARCHAR,
    result_id VARCHAR
);

-- What the archive has to forget: a batch, or a file with the time it would have expired at.
CREATE TABLE deletions (
    deletion_no BIGINT NOT NULL,
    batch_id VARCHAR,
    file_id VARCHAR,
    expires_at TIMESTAMP
);

-- Results of items that were completed until then have expired.
ALTER TABLE batches ADD COLUMN expired_to TIMESTAMP;
ALTER TABLE archive_position ADD COLUMN deletion_no BIGINT DEFAULT 0;
