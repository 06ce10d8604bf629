-- name: items_page
-- purpose: Return a page of a batch's items in the order they changed. The lone >= lets row groups be skipped.
SELECT
    item_id, batch_id, file_id, position, created_at, updated_at, status, attempts, lease_no, lost_leases,
    slice_id, finished_lease_no, page_count, result_id, error_code, error_message, error_retryable, engine,
    seconds, started_at, completed_at, pages_done, pages_total, kept_in, reused, failed_pages
FROM items
WHERE batch_no = $batch_no
    AND updated_at >= $updated_at AND (updated_at > $updated_at OR item_id > $item_id)
ORDER BY updated_at, item_id
LIMIT $limit;

-- name: items_by_id
-- purpose: Return these items.
SELECT
    item_id, batch_id, file_id, position, created_at, updated_at, status, attempts, lease_no, lost_leases,
    slice_id, finished_lease_no, page_count, result_id, error_code, error_message, error_retryable, engine,
    seconds, started_at, completed_at, pages_done, pages_total, kept_in, reused, failed_pages
FROM items WHERE item_id IN (SELECT unnest($item_ids::VARCHAR[]));

-- name: items_of_slices
-- purpose: Return the items these slices hold.
SELECT
    item_id, batch_id, file_id, position, created_at, updated_at, status, attempts, lease_no, lost_leases,
    slice_id, finished_lease_no, page_count, result_id, error_code, error_message, error_retryable, engine,
    seconds, started_at, completed_at, pages_done, pages_total, kept_in, reused, failed_pages
FROM items WHERE slice_id IN (SELECT unnest($slice_ids::VARCHAR[]));

-- name: free_items
-- purpose: Return the first pending items of a batch that nobody holds.
SELECT
    item_id, batch_id, file_id, position, created_at, updated_at, status, attempts, lease_no, lost_leases,
    slice_id, finished_lease_no, page_count, result_id, error_code, error_message, error_retryable, engine,
    seconds, started_at, completed_at, pages_done, pages_total, kept_in, reused, failed_pages
FROM items
WHERE batch_no = $batch_no
    AND status = 'pending' AND slice_id IS NULL
ORDER BY position
LIMIT $limit;

-- name: lease_items
-- purpose: Give items to their slices, each under its new fencing token.
UPDATE items SET lease_no = u.lease_no, slice_id = u.slice_id
FROM (
    SELECT
        unnest($item_id::VARCHAR[]) AS item_id, unnest($lease_no::INTEGER[]) AS lease_no,
        unnest($slice_id::VARCHAR[]) AS slice_id
) u
WHERE items.item_id = u.item_id;

-- name: store_items
-- purpose: Write back what changes of an item.
UPDATE items SET
    updated_at = u.updated_at, status = u.status, attempts = u.attempts, lost_leases = u.lost_leases,
    slice_id = u.slice_id, finished_lease_no = u.finished_lease_no, page_count = u.page_count,
    result_id = u.result_id, error_code = u.error_code, error_message = u.error_message,
    error_retryable = u.error_retryable, engine = u.engine, seconds = u.seconds,
    started_at = u.started_at, completed_at = u.completed_at, reused = u.reused,
    failed_pages = u.failed_pages
FROM (
    SELECT
        unnest($item_id::VARCHAR[]) AS item_id, unnest($updated_at::TIMESTAMP[]) AS updated_at,
        unnest($status::VARCHAR[]) AS status, unnest($attempts::INTEGER[]) AS attempts,
        unnest($lost_leases::INTEGER[]) AS lost_leases, unnest($slice_id::VARCHAR[]) AS slice_id,
        unnest($finished_lease_no::INTEGER[]) AS finished_lease_no,
        unnest($page_count::INTEGER[]) AS page_count, unnest($result_id::VARCHAR[]) AS result_id,
        unnest($error_code::VARCHAR[]) AS error_code, unnest($error_message::VARCHAR[]) AS error_message,
        unnest($error_retryable::BOOLEAN[]) AS error_retryable, unnest($engine::VARCHAR[]) AS engine,
        unnest($seconds::DOUBLE[]) AS seconds, unnest($started_at::TIMESTAMP[]) AS started_at,
        unnest($completed_at::TIMESTAMP[]) AS completed_at, unnest($reused::BOOLEAN[]) AS reused,
        unnest($failed_pages::INTEGER[]) AS failed_pages
) u
WHERE items.item_id = u.item_id;

-- name: pending_by_slice
-- purpose: Count the pending items of a batch that each slice holds.
SELECT slice_id, count(*) FROM items
WHERE batch_no = $batch_no
    AND status = 'pending' AND slice_id IS NOT NULL
GROUP BY slice_id;

-- name: pending_with_result
-- purpose: Count the pending items of a batch that have a result from before.
SELECT count(*) FROM items
WHERE batch_no = $batch_no
    AND status = 'pending' AND result_id IS NOT NULL;

-- name: cancel_pending
-- purpose: Cancel all pending items of a batch; those that have a result from before have it again.
UPDATE items SET
    status = CASE WHEN result_id IS NULL THEN 'cancelled' ELSE 'succeeded' END,
    slice_id = NULL, completed_at = $moment, updated_at = $moment
WHERE batch_no = $batch_no AND status = 'pending';

-- name: add_usage
-- purpose: Bill succeeded items; the primary key refuses a second row for one.
INSERT INTO usage (item_id, batch_id, customer_id, pages, created_at)
SELECT
    unnest($item_id::VARCHAR[]), unnest($batch_id::VARCHAR[]), unnest($customer_id::VARCHAR[]),
    unnest($pages::INTEGER[]), unnest($created_at::TIMESTAMP[]);
