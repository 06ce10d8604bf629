-- name: pending_files
-- purpose: Return those of the files that are this customer's and were not seen in storage; none has an item.
SELECT
    file_id, customer_id, status, filename, content_type, size_bytes, sha256, object_key, created_at, expires_at
FROM files
WHERE file_id IN (SELECT unnest($file_ids::VARCHAR[]))
    AND customer_id = $customer_id AND status = 'pending' AND expires_at > $now;

-- name: items_in_order
-- purpose: Return a batch's items by position, from one on.
SELECT
    item_id, batch_id, file_id, position, created_at, updated_at, status, attempts, lease_no, lost_leases,
    slice_id, finished_lease_no, page_count, result_id, error_code, error_message, error_retryable, engine,
    seconds, started_at, completed_at, pages_done, pages_total, kept_in, reused, failed_pages
FROM items
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

-- name: note_retry
-- purpose: Note when failed items of a batch were last made pending again.
UPDATE batches SET retried_at = $moment WHERE batch_id = $batch_id;

-- name: retries_between
-- purpose: Return the batches of which items were reopened after one moment and up to another.
SELECT batch_id FROM batches WHERE retried_at > $after AND retried_at <= $until;
