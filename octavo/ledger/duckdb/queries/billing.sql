-- name: page_account
-- purpose: Return a customer's quota, the pages it was billed and those set aside.
SELECT
    page_quota,
    (SELECT coalesce(sum(pages), 0)::BIGINT FROM usage WHERE customer_id = $customer_id),
    (SELECT coalesce(sum(pages), 0)::BIGINT FROM reservations WHERE customer_id = $customer_id)
FROM customers WHERE customer_id = $customer_id;

-- name: all_reservations
-- purpose: Return all pages that are set aside.
SELECT {reservations} FROM reservations;

-- name: drop_reservations
-- purpose: Give pages back that were set aside.
DELETE FROM reservations WHERE item_id IN (SELECT unnest($item_ids::VARCHAR[]));

-- name: usage_days
-- purpose: Sum what was billed from one day to another, by day and customer.
SELECT customer_id, created_at::DATE AS day, sum(pages)::BIGINT, count(*),
    count(DISTINCT batch_id) FILTER (NOT starts_with(batch_id, 'call_'))
FROM usage
WHERE created_at::DATE BETWEEN $first::DATE AND $last::DATE
    AND ($customer_id IS NULL OR customer_id = $customer_id)
GROUP BY customer_id, day
ORDER BY day, customer_id;

-- name: usage_differences
-- purpose: Recount usage against items and batches, and return every difference.
SELECT kind, item_id, batch_id, customer_id, billed, found FROM (
    SELECT
        'not_billed' AS kind, i.item_id, i.batch_id, b.customer_id, NULL AS billed, i.page_count::VARCHAR AS found
    FROM items i LEFT JOIN batches b ON b.batch_id = i.batch_id
    WHERE i.status = 'succeeded' AND i.item_id NOT IN (SELECT item_id FROM usage)
    UNION ALL
    SELECT 'no_item', u.item_id, u.batch_id, u.customer_id, u.item_id, NULL
    FROM usage u JOIN batches b ON b.batch_id = u.batch_id
    WHERE u.item_id NOT IN (SELECT item_id FROM items)
    UNION ALL
    SELECT 'not_succeeded', u.item_id, u.batch_id, u.customer_id, u.pages::VARCHAR, i.status
    FROM usage u JOIN items i ON i.item_id = u.item_id
    WHERE i.status <> 'succeeded' AND (i.result_id IS NULL OR i.status NOT IN ('pending', 'running'))
    UNION ALL
    SELECT 'other_batch', u.item_id, u.batch_id, u.customer_id, u.batch_id, i.batch_id
    FROM usage u JOIN items i ON i.item_id = u.item_id
    WHERE i.batch_id <> u.batch_id
    UNION ALL
    SELECT 'other_customer', u.item_id, u.batch_id, u.customer_id, u.customer_id, b.customer_id
    FROM usage u JOIN batches b ON b.batch_id = u.batch_id
    WHERE b.customer_id <> u.customer_id
    UNION ALL
    SELECT 'other_pages', u.item_id, u.batch_id, u.customer_id, u.pages::VARCHAR, i.page_count::VARCHAR
    FROM usage u JOIN items i ON i.item_id = u.item_id
    WHERE i.status = 'succeeded' AND i.page_count IS DISTINCT FROM u.pages
    UNION ALL
    SELECT 'other_moment', u.item_id, u.batch_id, u.customer_id, u.created_at::VARCHAR, i.completed_at::VARCHAR
    FROM usage u JOIN items i ON i.item_id = u.item_id LEFT JOIN batches b ON b.batch_id = i.batch_id
    WHERE i.status = 'succeeded' AND i.completed_at IS DISTINCT FROM u.created_at
        AND NOT (u.created_at < i.completed_at AND coalesce(u.created_at < b.retried_at, FALSE))
)
ORDER BY item_id, kind;

-- name: usage_totals
-- purpose: Count what was billed in all, and how much of it is of batches that are gone.
SELECT
    count(*), coalesce(sum(pages), 0)::BIGINT,
    count(*) FILTER (WHERE batch_id NOT IN (SELECT batch_id FROM batches))
FROM usage;

-- name: billed_results
-- purpose: Return the next billed items, by id, whose results are still kept.
SELECT i.item_id, i.batch_id, b.customer_id, i.result_id, u.pages
FROM usage u
JOIN items i ON i.item_id = u.item_id
JOIN batches b ON b.batch_id = i.batch_id
WHERE i.item_id > $after
    AND i.status = 'succeeded' AND i.result_id IS NOT NULL
    AND i.completed_at + to_seconds(b.retention_seconds) > $now
ORDER BY i.item_id
LIMIT $limit;

-- name: pages_used
-- purpose: Sum what a customer was billed.
SELECT coalesce(sum(pages), 0)::BIGINT FROM usage WHERE customer_id = $customer_id;
