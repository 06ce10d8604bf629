-- Customers, their files, batches and items, and the work on them.
-- No foreign keys: DuckDB checks them with rules that forbid harmless updates of the parent row.
-- No index but primary keys and UNIQUE on columns that never change: an index on a changing
-- column costs a quarter of the write rate and serves no read here.

CREATE TABLE customers (
    customer_id VARCHAR PRIMARY KEY,
    name VARCHAR NOT NULL UNIQUE,
    enabled BOOLEAN NOT NULL,
    item_cap INTEGER NOT NULL,
    submissions_per_minute INTEGER,
    page_quota BIGINT,
    retention_seconds BIGINT,
    created_at TIMESTAMP NOT NULL
);

CREATE TABLE api_keys (
    key_id VARCHAR PRIMARY KEY,
    customer_id VARCHAR NOT NULL,
    prefix VARCHAR NOT NULL,
    digest VARCHAR NOT NULL UNIQUE,
    label VARCHAR NOT NULL,
    created_at TIMESTAMP NOT NULL,
    revoked_at TIMESTAMP
);

CREATE TABLE files (
    file_id VARCHAR PRIMARY KEY,
    customer_id VARCHAR NOT NULL,
    status VARCHAR NOT NULL,
    filename VARCHAR,
    content_type VARCHAR,
    size_bytes BIGINT NOT NULL,
    sha256 VARCHAR,
    object_key VARCHAR NOT NULL,
    created_at TIMESTAMP NOT NULL,
    expires_at TIMESTAMP NOT NULL
);

CREATE SEQUENCE batch_numbers;

CREATE TABLE batches (
    batch_id VARCHAR PRIMARY KEY,
    batch_no BIGINT NOT NULL,
    customer_id VARCHAR NOT NULL,
    total_items INTEGER NOT NULL,
    engine VARCHAR,
    options VARCHAR NOT NULL,
    metadata VARCHAR,
    priority INTEGER NOT NULL,
    retention_seconds BIGINT NOT NULL,
    created_at TIMESTAMP NOT NULL,
    expires_at TIMESTAMP NOT NULL,
    pending INTEGER NOT NULL,
    unleased INTEGER NOT NULL,
    running INTEGER NOT NULL,
    succeeded INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    cancelled INTEGER NOT NULL,
    status VARCHAR NOT NULL,
    cancel_requested_at TIMESTAMP,
    started_at TIMESTAMP,
    completed_at TIMESTAMP
);

-- batch_no is batch_id as a number that grows: row groups of other batches are skipped by it.
CREATE TABLE items (
    item_id VARCHAR PRIMARY KEY,
    batch_no BIGINT NOT NULL,
    batch_id VARCHAR NOT NULL,
    file_id VARCHAR NOT NULL,
    position INTEGER NOT NULL,
    created_at TIMESTAMP NOT NULL,
    updated_at TIMESTAMP NOT NULL,
    status VARCHAR NOT NULL,
    attempts INTEGER NOT NULL,
    lease_no INTEGER NOT NULL,
    lost_leases INTEGER NOT NULL,
    slice_id VARCHAR,
    finished_lease_no INTEGER,
    page_count INTEGER,
    result_id VARCHAR,
    error_code VARCHAR,
    error_message VARCHAR,
    error_retryable BOOLEAN,
    engine VARCHAR,
    seconds DOUBLE,
    started_at TIMESTAMP,
    completed_at TIMESTAMP
);

-- Open slices only; a closed one is deleted.
CREATE TABLE slices (
    slice_id VARCHAR PRIMARY KEY,
    batch_id VARCHAR NOT NULL,
    customer_id VARCHAR NOT NULL,
    run_id VARCHAR NOT NULL,
    worker_id VARCHAR NOT NULL,
    expires_at TIMESTAMP NOT NULL,
    open_items INTEGER NOT NULL
);

CREATE TABLE runs (
    batch_id VARCHAR NOT NULL,
    run_no INTEGER NOT NULL,
    customer_id VARCHAR NOT NULL,
    run_id VARCHAR,
    worker_id VARCHAR,
    status VARCHAR NOT NULL,
    created_at TIMESTAMP NOT NULL,
    seen_at TIMESTAMP NOT NULL,
    PRIMARY KEY (batch_id, run_no)
);

-- Append only; the primary key is what makes "billed once" a fact.
CREATE TABLE usage (
    item_id VARCHAR PRIMARY KEY,
    batch_id VARCHAR NOT NULL,
    customer_id VARCHAR NOT NULL,
    pages INTEGER NOT NULL,
    created_at TIMESTAMP NOT NULL
);

CREATE TABLE idempotency_keys (
    customer_id VARCHAR NOT NULL,
    idempotency_key VARCHAR NOT NULL,
    body_digest VARCHAR NOT NULL,
    batch_id VARCHAR NOT NULL,
    created_at TIMESTAMP NOT NULL,
    PRIMARY KEY (customer_id, idempotency_key)
);
