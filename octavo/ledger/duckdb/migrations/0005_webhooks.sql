-- Webhooks of customers, the messages to them and every attempt to send one.
-- A delivery is written by the commit that ends its batch. No secret is here: it is made of the number.

CREATE TABLE webhooks (
    webhook_id VARCHAR PRIMARY KEY,
    customer_id VARCHAR NOT NULL,
    dialect VARCHAR NOT NULL,
    url VARCHAR NOT NULL,
    events VARCHAR NOT NULL,
    enabled BOOLEAN NOT NULL,
    disabled_reason VARCHAR,
    secret_no INTEGER NOT NULL,
    former_until TIMESTAMP,
    created_at TIMESTAMP NOT NULL,
    updated_at TIMESTAMP NOT NULL
);

CREATE TABLE deliveries (
    delivery_id VARCHAR PRIMARY KEY,
    webhook_id VARCHAR NOT NULL,
    customer_id VARCHAR NOT NULL,
    event VARCHAR NOT NULL,
    batch_id VARCHAR,
    batch_status VARCHAR,
    succeeded INTEGER,
    failed INTEGER,
    cancelled INTEGER,
    batch_completed_at TIMESTAMP,
    batch_expires_at TIMESTAMP,
    created_at TIMESTAMP NOT NULL,
    status VARCHAR NOT NULL,
    attempts INTEGER NOT NULL,
    schedule_no INTEGER NOT NULL,
    next_attempt_at TIMESTAMP,
    leased_until TIMESTAMP,
    lease_no INTEGER NOT NULL,
    completed_at TIMESTAMP
);

CREATE TABLE attempts (
    delivery_id VARCHAR NOT NULL,
    attempt_no INTEGER NOT NULL,
    started_at TIMESTAMP NOT NULL,
    seconds DOUBLE NOT NULL,
    status_code INTEGER,
    error VARCHAR,
    answer VARCHAR NOT NULL,
    PRIMARY KEY (delivery_id, attempt_no)
);
