-- name: items_page
-- purpose: Return a page of a batch's items in the order they changed. The lone >= lets row groups be skipped.
SELECT {shown_items} FROM items
WHERE batch_no = $batch_no
    AND updated_at >= $updated_at AND (updated_at > $updated_at OR item_id > $item_id)
ORDER BY updated_at, item_id
LIMIT $limit;

-- name: items_by_id
-- purpose: Return these items.
SELECT {items} FROM items WHERE item_id IN (SELECT unnest($item_ids::VARCHAR[]));

-- name: item
-- purpose: Return one item.
SELECT {shown_items} FROM items WHERE item_id = $item_id;

-- name: items_of_slices
-- purpose: Return the items these slices hold.
SELECT {items} FROM items WHERE slice_id IN (SELECT unnest($slice_ids::VARCHAR[]));

-- name: free_items
-- purpose: Return the first pending items of a batch that nobody holds.
SELECT {items} FROM items
WHERE batch_no = $batch_no
    AND status = 'pending' AND slice_id IS NULL
ORDER BY position
LIMIT $limit;

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

-- name: items_in_order
-- purpose: Return a batch's items by position, from one on.
SELECT {shown_items} FROM items
WHERE batch_no = $batch_no AND position >= $first
ORDER BY position
LIMIT $limit;

-- name: failed_items
-- purpose: Return a batch's failed items, of certain codes if any are given, and those with failed pages since a moment.
SELECT item_id, file_id FROM items
WHERE batch_no = $batch_no
    AND (
        status = 'failed' AND ($codes::VARCHAR[] IS NULL OR list_contains($codes::VARCHAR[], error_code))
        OR status = 'succeeded' AND failed_pages > 0 AND completed_at > $kept_after
    )
ORDER BY position;

-- name: items_of_customer
-- purpose: Return a page of a customer's items; `listing` fills in <key> and the like. Only rows on it are read whole.
SELECT {shown_items} FROM items
WHERE rowid IN (
    SELECT rowid FROM items
    WHERE customer_id = $customer_id
        AND ($dialect IS NULL OR dialect = $dialect)
        AND ($batch_id IS NULL OR batch_id = $batch_id)
        AND ($statuses::VARCHAR[] IS NULL OR list_contains($statuses::VARCHAR[], status))
        AND ($source_name IS NULL OR source_name = $source_name)
        AND ($pattern IS NULL OR source_name ILIKE $pattern)
        AND ($part IS NULL OR contains(lower(source_name), lower($part)))
        AND ($created_from IS NULL OR created_at >= $created_from)
        AND ($created_before IS NULL OR created_at < $created_before)
        AND ($moment IS NULL OR (<key> <beyond>= $moment AND (<key> <beyond> $moment OR item_id <beyond> $item_id)))
    ORDER BY <key> <direction>, item_id <direction>
    LIMIT $limit
)
ORDER BY <key> <direction>, item_id <direction>;
