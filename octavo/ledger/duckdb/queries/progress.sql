-- name: store_progress
-- purpose: Write how far items are. `updated_at` with it, so that readers with a cursor see it.
UPDATE items SET
    updated_at = u.updated_at, pages_done = u.pages_done, pages_total = u.pages_total, kept_in = u.kept_in
FROM (
    SELECT
        unnest($item_id::VARCHAR[]) AS item_id, unnest($updated_at::TIMESTAMP[]) AS updated_at,
        unnest($pages_done::INTEGER[]) AS pages_done, unnest($pages_total::INTEGER[]) AS pages_total,
        unnest($kept_in::VARCHAR[]) AS kept_in
) u
WHERE items.item_id = u.item_id;

-- name: kept_pages_of_batches
-- purpose: Return under which results to be pages of items of batches may be kept.
SELECT DISTINCT b.customer_id, i.kept_in
FROM items i JOIN batches b ON b.batch_no = i.batch_no
WHERE i.batch_no IN (SELECT unnest($batch_nos::BIGINT[])) AND i.kept_in IS NOT NULL;

-- name: due_kept_pages
-- purpose: Return items without a result whose time is over and whose pages may be kept still, all or some of these.
SELECT i.item_id, b.customer_id, i.kept_in
FROM items i JOIN batches b ON b.batch_no = i.batch_no
WHERE i.kept_in IS NOT NULL AND i.status IN ('failed', 'cancelled')
    AND i.completed_at + to_seconds(b.retention_seconds) <= $now
    AND ($item_ids::VARCHAR[] IS NULL OR i.item_id IN (SELECT unnest($item_ids::VARCHAR[])))
LIMIT $limit;

-- name: forget_kept_pages
-- purpose: Forget that pages of these items are kept.
UPDATE items SET kept_in = NULL WHERE item_id IN (SELECT unnest($item_ids::VARCHAR[]));
