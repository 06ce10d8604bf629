-- name: identity
-- purpose: Return which ledger this is.
SELECT ledger_id, generation FROM identity;

-- name: set_generation
-- purpose: Say how often this ledger was rebuilt.
UPDATE identity SET generation = $generation;

-- name: archive_position
-- purpose: Return how far the ledger was archived.
SELECT accounts, runs, file_no, batch_no, updated_at, deletion_no FROM archive_position;

-- name: set_archive_position
-- purpose: Note how far the ledger was archived.
UPDATE archive_position
SET
    accounts = $accounts, runs = $runs, file_no = $file_no, batch_no = $batch_no, updated_at = $updated_at,
    deletion_no = $deletion_no;

-- name: fingerprints
-- purpose: Return a fingerprint of all customers, keys and webhooks, and one of the runs of unfinished batches.
SELECT
    concat_ws(
        ' ',
        (SELECT concat_ws('/', count(*), bit_xor(hash(c))) FROM customers c),
        (SELECT concat_ws('/', count(*), bit_xor(hash(k))) FROM api_keys k),
        (SELECT concat_ws('/', count(*), bit_xor(hash(w))) FROM webhooks w)
    ),
    (
        SELECT concat_ws('/', count(*), bit_xor(hash(row(r.batch_id, r.run_no, r.run_id, r.worker_id, r.status))))
        FROM runs r JOIN batches b ON b.batch_id = r.batch_id
        WHERE b.status IN ('pending', 'running', 'cancelling')
    );

-- name: all_keys
-- purpose: Return every key with its digest, oldest first.
SELECT key_id, customer_id, prefix, label, created_at, revoked_at, uploads_only, digest
FROM api_keys ORDER BY created_at, key_id;

-- name: runs_of_open_batches
-- purpose: Return all runs of all batches that are not terminal.
SELECT r.batch_id, r.customer_id, r.run_no, r.run_id, r.worker_id, r.status, r.created_at, r.seen_at
FROM runs r JOIN batches b ON b.batch_id = r.batch_id
WHERE b.status IN ('pending', 'running', 'cancelling')
ORDER BY r.batch_id, r.run_no;

-- name: files_after
-- purpose: Return the files staged after a number, in order; their number comes last.
SELECT
    file_id, customer_id, status, filename, content_type, size_bytes, sha256, object_key, created_at, expires_at,
    file_no
FROM files WHERE file_no > $file_no AND status <> 'deleted' ORDER BY file_no LIMIT $limit;

-- name: files_by_id
-- purpose: Return these files, whosever they are.
SELECT
    file_id, customer_id, status, filename, content_type, size_bytes, sha256, object_key, created_at, expires_at
FROM files WHERE file_id IN (SELECT unnest($file_ids::VARCHAR[]));

-- name: batches_after
-- purpose: Return the batches admitted after a number, in order.
SELECT
    batch_id, customer_id, total_items, engine, options, metadata, priority, retention_seconds, created_at,
    expires_at, pending, unleased, running, succeeded, failed, cancelled, status, cancel_requested_at,
    started_at, completed_at, batch_no
FROM batches WHERE batch_no > $batch_no ORDER BY batch_no LIMIT $limit;

-- name: items_of_batches
-- purpose: Return which files the items of some consecutive batches name, by batch and position.
SELECT batch_no, item_id, file_id FROM items
WHERE batch_no BETWEEN $first AND $last ORDER BY batch_no, position;

-- name: idempotency_keys_of
-- purpose: Return the keys these batches were made with.
SELECT batch_id, idempotency_key, body_digest, created_at FROM idempotency_keys
WHERE batch_id IN (SELECT unnest($batch_ids::VARCHAR[]));

-- name: next_outcomes
-- purpose: Return the commit up to which `limit` outcomes or more have come after a moment; and how many if fewer.
SELECT max(moment), count(*) FROM (
    SELECT moment FROM (
        SELECT updated_at AS moment FROM items
        WHERE updated_at > $after AND status IN ('succeeded', 'failed', 'cancelled')
        UNION ALL
        SELECT cancel_requested_at FROM batches WHERE cancel_requested_at > $after
        UNION ALL
        SELECT retried_at FROM batches WHERE retried_at > $after
    )
    ORDER BY moment LIMIT $limit
);

-- name: newest_commit
-- purpose: Return the last commit after a moment that items or cancels were part of.
SELECT greatest(
    (SELECT max(updated_at) FROM items WHERE updated_at > $after),
    (SELECT max(cancel_requested_at) FROM batches WHERE cancel_requested_at > $after)
);

-- name: outcomes_between
-- purpose: Return the items that ended in the commits after one moment and up to another.
SELECT
    item_id, status, updated_at, completed_at, attempts, lease_no, lost_leases, finished_lease_no, page_count,
    result_id, error_code, error_message, error_retryable, engine, seconds, started_at, file_id, batch_id,
    reused, failed_pages
FROM items
WHERE updated_at > $after AND updated_at <= $until AND status IN ('succeeded', 'failed', 'cancelled');

-- name: outcomes_of_batch
-- purpose: Return the items of a batch that have ended, and those that had and are read again, as pending ones.
SELECT
    item_id, CASE status WHEN 'running' THEN 'pending' ELSE status END, updated_at,
    coalesce(completed_at, updated_at), attempts, lease_no, lost_leases, finished_lease_no, page_count,
    result_id, error_code, error_message, error_retryable, engine, seconds, started_at, file_id, batch_id,
    reused, failed_pages
FROM items
WHERE batch_no = $batch_no AND (status IN ('succeeded', 'failed', 'cancelled') OR result_id IS NOT NULL);

-- name: cancels_between
-- purpose: Return the batches whose cancel was asked after one moment and up to another.
SELECT batch_id FROM batches WHERE cancel_requested_at > $after AND cancel_requested_at <= $until;

-- name: digests_of_files
-- purpose: Return the digests that are known of these files.
SELECT file_id, sha256 FROM files
WHERE sha256 IS NOT NULL AND file_id IN (SELECT unnest($file_ids::VARCHAR[]));

-- name: restore_customers
-- purpose: Put archived customers back.
INSERT INTO customers (
    customer_id, name, enabled, item_cap, created_at, submissions_per_minute, page_quota, retention_seconds
)
SELECT
    unnest($customer_id::VARCHAR[]), unnest($name::VARCHAR[]), unnest($enabled::BOOLEAN[]),
    unnest($item_cap::INTEGER[]), unnest($created_at::TIMESTAMP[]), unnest($submissions_per_minute::INTEGER[]),
    unnest($page_quota::BIGINT[]), unnest($retention_seconds::BIGINT[]);

-- name: restore_keys
-- purpose: Put archived keys back.
INSERT INTO api_keys (key_id, customer_id, prefix, digest, label, created_at, revoked_at, uploads_only)
SELECT
    unnest($key_ids::VARCHAR[]), unnest($customer_ids::VARCHAR[]), unnest($prefixes::VARCHAR[]),
    unnest($digests::VARCHAR[]), unnest($labels::VARCHAR[]), unnest($created_ats::TIMESTAMP[]),
    unnest($revoked_ats::TIMESTAMP[]), unnest($uploads_only::BOOLEAN[]);

-- name: restore_files
-- purpose: Put archived files back; one that is there takes what is known of it since.
INSERT INTO files (
    file_id, customer_id, status, filename, content_type, size_bytes, sha256, object_key, created_at, expires_at
)
SELECT
    unnest($file_ids::VARCHAR[]), unnest($customer_ids::VARCHAR[]), unnest($statuses::VARCHAR[]),
    unnest($filenames::VARCHAR[]), unnest($content_types::VARCHAR[]), unnest($sizes::BIGINT[]),
    unnest($sha256s::VARCHAR[]), unnest($object_keys::VARCHAR[]), unnest($created_ats::TIMESTAMP[]),
    unnest($expires_ats::TIMESTAMP[])
ON CONFLICT (file_id) DO UPDATE
SET status = excluded.status, sha256 = coalesce(excluded.sha256, sha256);

-- name: restore_batch
-- purpose: Put an archived batch back and return its number.
INSERT INTO batches (
    batch_no, batch_id, customer_id, total_items, engine, options, metadata, priority, retention_seconds,
    created_at, expires_at, pending, unleased, running, succeeded, failed, cancelled, status,
    cancel_requested_at, started_at, completed_at
)
VALUES (
    nextval('batch_numbers'), $batch_id, $customer_id, $total_items, $engine, $options, $metadata, $priority,
    $retention_seconds, $created_at, $expires_at, $pending, $unleased, 0, $succeeded, $failed, $cancelled,
    $status, $cancel_requested_at, $started_at, $completed_at
)
RETURNING batch_no;

-- name: restore_items
-- purpose: Put the items of an archived batch back.
INSERT INTO items (
    batch_no, batch_id, item_id, file_id, position, created_at, updated_at, status, attempts, lease_no,
    lost_leases, finished_lease_no, page_count, result_id, error_code, error_message, error_retryable, engine,
    seconds, started_at, completed_at, reused, failed_pages
)
SELECT
    $batch_no, $batch_id, unnest($item_id::VARCHAR[]), unnest($file_id::VARCHAR[]),
    unnest($position::INTEGER[]), unnest($created_at::TIMESTAMP[]), unnest($updated_at::TIMESTAMP[]),
    unnest($status::VARCHAR[]), unnest($attempts::INTEGER[]), unnest($lease_no::INTEGER[]),
    unnest($lost_leases::INTEGER[]), unnest($finished_lease_no::INTEGER[]), unnest($page_count::INTEGER[]),
    unnest($result_id::VARCHAR[]), unnest($error_code::VARCHAR[]), unnest($error_message::VARCHAR[]),
    unnest($error_retryable::BOOLEAN[]), unnest($engine::VARCHAR[]), unnest($seconds::DOUBLE[]),
    unnest($started_at::TIMESTAMP[]), unnest($completed_at::TIMESTAMP[]), unnest($reused::BOOLEAN[]),
    unnest($failed_pages::INTEGER[]);

-- name: last_numbers
-- purpose: Return the numbers of the last file and batch.
SELECT (SELECT coalesce(max(file_no), 0) FROM files), (SELECT coalesce(max(batch_no), 0) FROM batches);
