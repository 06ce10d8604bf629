-- name: next_pending_deletions
-- purpose: Return the numbers of the next pending deletions.
SELECT nextval('doomed_numbers') FROM range($count);

-- name: due_files
-- purpose: Return some of the files whose time is over and that no unfinished item names, the longest due first.
SELECT file_id FROM files
WHERE status IN ('pending', 'ready') AND expires_at <= $now
    AND file_id NOT IN (SELECT file_id FROM items WHERE status IN ('pending', 'running'))
ORDER BY expires_at LIMIT $limit;

-- name: expire_files
-- purpose: Make these files expired, unless an unfinished item names them by now, and return where their bytes are.
UPDATE files SET status = 'expired'
WHERE file_id IN (SELECT unnest($file_ids::VARCHAR[]))
    AND status IN ('pending', 'ready') AND expires_at <= $now
    AND file_id NOT IN (SELECT file_id FROM items WHERE status IN ('pending', 'running'))
RETURNING customer_id, object_key;

-- name: batches_with_due_results
-- purpose: Return the batches that may have results whose time is over, ended ones first.
SELECT batch_id, batch_no, customer_id, retention_seconds, expired_to, completed_at IS NOT NULL
FROM batches
WHERE succeeded > 0 AND created_at + to_seconds(retention_seconds) <= $now
    AND (expired_to IS NULL OR completed_at IS NULL OR expired_to < completed_at)
ORDER BY completed_at NULLS LAST LIMIT $limit;

-- name: due_results
-- purpose: Return results of some batches by when their items were completed, each batch's after and until a moment.
SELECT i.batch_no, i.completed_at, i.result_id
FROM items i
JOIN (
    SELECT
        unnest($batch_nos::BIGINT[]) AS batch_no, unnest($after::TIMESTAMP[]) AS after,
        unnest($until::TIMESTAMP[]) AS until
) w ON w.batch_no = i.batch_no
WHERE i.status = 'succeeded' AND i.completed_at > w.after AND i.completed_at <= w.until
    AND i.batch_no BETWEEN $first AND $last
ORDER BY i.batch_no, i.completed_at LIMIT $limit;

-- name: note_expired
-- purpose: Note until when results of batches have expired.
UPDATE batches SET expired_to = u.expired_to
FROM (SELECT unnest($batch_nos::BIGINT[]) AS batch_no, unnest($until::TIMESTAMP[]) AS expired_to) u
WHERE batches.batch_no = u.batch_no;

-- name: pending_deletions
-- purpose: Return what is to go from storage, the first of it.
SELECT {doomed} FROM doomed ORDER BY doomed_no LIMIT $limit;

-- name: pending_deletions_by_number
-- purpose: Return some of what is to go from storage.
SELECT {doomed} FROM doomed
WHERE doomed_no IN (SELECT unnest($numbers::BIGINT[])) ORDER BY doomed_no;

-- name: forget_pending_deletions
-- purpose: Forget what has gone from storage.
DELETE FROM doomed WHERE doomed_no IN (SELECT unnest($numbers::BIGINT[]));

-- name: live_results
-- purpose: Return those of the results that an item names whose time is not over, or that is read again.
SELECT DISTINCT i.result_id
FROM items i JOIN batches b ON b.batch_no = i.batch_no
WHERE (b.completed_at IS NULL OR b.expires_at > $now)
    AND i.result_id IN (SELECT unnest($result_ids::VARCHAR[]))
    AND (i.completed_at IS NULL OR i.completed_at + to_seconds(b.retention_seconds) > $now);

-- name: result_expires_at
-- purpose: Return until when a customer's items, one that is read again too, keep a result; NULL when none names it.
SELECT max(coalesce(i.completed_at, $now) + to_seconds(b.retention_seconds))
FROM items i JOIN batches b ON b.batch_no = i.batch_no
WHERE b.customer_id = $customer_id AND i.result_id = $result_id;

-- name: file_statuses
-- purpose: Return the statuses of files, whosever they are.
SELECT file_id, status FROM files WHERE file_id IN (SELECT unnest($file_ids::VARCHAR[]));

-- name: known_batches
-- purpose: Return those of the batches that there are.
SELECT batch_id FROM batches WHERE batch_id IN (SELECT unnest($batch_ids::VARCHAR[]));

-- name: unfinished_batches_of_file
-- purpose: Return the batches in which an unfinished item names a file.
SELECT DISTINCT batch_id FROM items
WHERE file_id = $file_id AND status IN ('pending', 'running') ORDER BY batch_id;

-- name: delete_file
-- purpose: Leave nothing of a file but that it was there: items may name it.
UPDATE files SET status = 'deleted', filename = NULL, content_type = NULL, sha256 = NULL, size_bytes = 0
WHERE file_id = $file_id;

-- name: results_of_batches
-- purpose: Return the results that items of batches name and whose bytes have not gone with their time.
SELECT DISTINCT b.customer_id, i.result_id
FROM items i JOIN batches b ON b.batch_no = i.batch_no
WHERE i.batch_no IN (SELECT unnest($batch_nos::BIGINT[])) AND i.status = 'succeeded'
    AND (b.expired_to IS NULL OR i.completed_at > b.expired_to);

-- name: delete_items_of
-- purpose: Remove the items of batches.
DELETE FROM items WHERE batch_no IN (SELECT unnest($batch_nos::BIGINT[]));

-- name: delete_batches
-- purpose: Remove batches.
DELETE FROM batches WHERE batch_id IN (SELECT unnest($batch_ids::VARCHAR[]));

-- name: delete_ended_runs_of
-- purpose: Remove the ended runs of batches.
DELETE FROM runs WHERE status = 'ended' AND batch_id IN (SELECT unnest($batch_ids::VARCHAR[]));

-- name: delete_idempotency_keys_of
-- purpose: Remove the keys that batches were made with.
DELETE FROM idempotency_keys WHERE batch_id IN (SELECT unnest($batch_ids::VARCHAR[]));

-- name: old_batches
-- purpose: Return batches that expired before a moment, oldest first, with how many items they have.
SELECT batch_id, batch_no, total_items FROM batches
WHERE completed_at IS NOT NULL AND expires_at < $before ORDER BY expires_at LIMIT $limit;

-- name: forget_files
-- purpose: Remove files that are expired or deleted, were so before a moment, and that no item names; return them.
DELETE FROM files
WHERE file_id IN (
    SELECT file_id FROM files
    WHERE status IN ('expired', 'deleted') AND expires_at < $before AND file_id NOT IN (SELECT file_id FROM items)
    LIMIT $limit
)
RETURNING file_id;

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
