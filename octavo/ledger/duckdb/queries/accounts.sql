-- name: customer_by_name
-- purpose: Return the customer of a name.
SELECT {customers} FROM customers WHERE name = $name;

-- name: customer
-- purpose: Return one customer.
SELECT {customers} FROM customers WHERE customer_id = $customer_id;

-- name: customers
-- purpose: Return all customers, oldest first.
SELECT {customers} FROM customers ORDER BY created_at, customer_id;

-- name: caps
-- purpose: Return the caps and page quotas of customers.
SELECT customer_id, item_cap, page_quota FROM customers WHERE customer_id IN (SELECT unnest($customer_ids::VARCHAR[]));

-- name: keys
-- purpose: Return a customer's keys, oldest first.
SELECT {api_keys} FROM api_keys WHERE customer_id = $customer_id ORDER BY created_at, key_id;

-- name: key
-- purpose: Return one key.
SELECT {api_keys} FROM api_keys WHERE key_id = $key_id;

-- name: principal
-- purpose: Return the customer and the unrevoked key that has a digest.
SELECT {c.customers}, {k.api_keys}
FROM api_keys k JOIN customers c ON c.customer_id = k.customer_id
WHERE k.digest = $digest AND k.revoked_at IS NULL;
