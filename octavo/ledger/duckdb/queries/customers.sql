-- name: customer_by_name
-- purpose: Return the customer of a name.
SELECT customer_id, name, enabled, item_cap, created_at, submissions_per_minute, page_quota, retention_seconds
FROM customers WHERE name = $name;

-- name: customer
-- purpose: Return one customer.
SELECT customer_id, name, enabled, item_cap, created_at, submissions_per_minute, page_quota, retention_seconds
FROM customers WHERE customer_id = $customer_id;

-- name: customers
-- purpose: Return all customers, oldest first.
SELECT customer_id, name, enabled, item_cap, created_at, submissions_per_minute, page_quota, retention_seconds
FROM customers ORDER BY created_at, customer_id;

-- name: caps
-- purpose: Return the caps and page quotas of customers.
SELECT customer_id, item_cap, page_quota FROM customers WHERE customer_id IN (SELECT unnest($customer_ids::VARCHAR[]));

-- name: add_customer
-- purpose: Keep a new customer.
INSERT INTO customers (customer_id, name, enabled, item_cap, created_at)
VALUES ($customer_id, $name, $enabled, $item_cap, $created_at);

-- name: update_customer
-- purpose: Change what the operator may change of a customer.
UPDATE customers SET enabled = $enabled, item_cap = $item_cap WHERE customer_id = $customer_id;

-- name: add_key
-- purpose: Keep a key by its digest.
INSERT INTO api_keys (key_id, customer_id, prefix, digest, label, created_at, uploads_only)
VALUES ($key_id, $customer_id, $prefix, $digest, $label, $created_at, $uploads_only);

-- name: keys
-- purpose: Return a customer's keys, oldest first.
SELECT key_id, customer_id, prefix, label, created_at, revoked_at, uploads_only
FROM api_keys WHERE customer_id = $customer_id ORDER BY created_at, key_id;

-- name: key
-- purpose: Return one key.
SELECT key_id, customer_id, prefix, label, created_at, revoked_at, uploads_only
FROM api_keys WHERE key_id = $key_id;

-- name: revoke_key
-- purpose: Revoke a key.
UPDATE api_keys SET revoked_at = $revoked_at WHERE key_id = $key_id;

-- name: principal
-- purpose: Return the customer and the unrevoked key that has a digest.
SELECT
    c.customer_id, c.name, c.enabled, c.item_cap, c.created_at, c.submissions_per_minute, c.page_quota,
    c.retention_seconds,
    k.key_id, k.customer_id, k.prefix, k.label, k.created_at, k.revoked_at, k.uploads_only
FROM api_keys k JOIN customers c ON c.customer_id = k.customer_id
WHERE k.digest = $digest AND k.revoked_at IS NULL;

-- name: pages_used
-- purpose: Sum what a customer was billed.
SELECT coalesce(sum(pages), 0)::BIGINT FROM usage WHERE customer_id = $customer_id;
