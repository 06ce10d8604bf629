-- Keys that may upload but not have addresses fetched, and pages set aside for items in work.
-- A reservation lives as long as its item is in work; only customers with a page quota have any.

ALTER TABLE api_keys ADD COLUMN uploads_only BOOLEAN DEFAULT false;

CREATE TABLE reservations (
    item_id VARCHAR PRIMARY KEY,
    customer_id VARCHAR NOT NULL,
    pages INTEGER NOT NULL
);
