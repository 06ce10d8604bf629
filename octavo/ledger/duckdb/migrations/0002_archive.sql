-- What the archive needs: who this ledger is, how far it was archived, and staged files in their order.
-- The two small tables have one row each.

CREATE SEQUENCE file_numbers;
ALTER TABLE files ADD COLUMN file_no BIGINT DEFAULT nextval('file_numbers');

CREATE TABLE identity (
    ledger_id VARCHAR NOT NULL,
    generation INTEGER NOT NULL
);

CREATE TABLE archive_position (
    accounts VARCHAR NOT NULL,
    runs VARCHAR NOT NULL,
    file_no BIGINT NOT NULL,
    batch_no BIGINT NOT NULL,
    updated_at TIMESTAMP NOT NULL
);

INSERT INTO identity SELECT replace(uuid()::VARCHAR, '-', ''), 0;
INSERT INTO archive_position VALUES ('', '', 0, 0, TIMESTAMP '1970-01-01');
