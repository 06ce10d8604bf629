-- name: next_deletions
-- purpose: Return the numbers of the next deletions that the archive is told of.
SELECT nextval('deletion_numbers') FROM range($count);

-- name: identity
-- purpose: Return which ledger this is.
SELECT {identity} FROM identity;

-- name: set_generation
-- purpose: Say how often this ledger was rebuilt.
UPDATE identity SET generation = $generation;

-- name: archive_position
-- purpose: Return how far the ledger was archived.
SELECT {archive_position} FROM archive_position;

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
SELECT {api_keys} FROM api_keys ORDER BY created_at, key_id;

-- name: runs_of_open_batches
-- purpose: Return all runs of all batches that are not terminal.
SELECT {r.runs} FROM runs r JOIN batches b ON b.batch_id = r.batch_id
WHERE b.status IN ('pending', 'running', 'cancelling')
ORDER BY r.batch_id, r.run_no;

-- name: files_after
-- purpose: Return the files staged after a number, in order; their number comes last.
SELECT {files}, file_no FROM files WHERE file_no > $file_no AND status <> 'deleted' ORDER BY file_no LIMIT $limit;

-- name: files_by_id
-- purpose: Return these files, whosever they are.
SELECT {files} FROM files WHERE file_id IN (SELECT unnest($file_ids::VARCHAR[]));

-- name: batches_after
-- purpose: Return the batches admitted after a number, in order.
SELECT {batches} FROM batches WHERE batch_no > $batch_no ORDER BY batch_no LIMIT $limit;

-- name: items_of_batches
-- purpose: Return the items of some consecutive batches, by batch and position.
SELECT {items} FROM items
WHERE batch_no BETWEEN $first AND $last ORDER BY batch_no, position;

-- name: idempotency_keys_of
-- purpose: Return the keys these batches were made with.
SELECT {idempotency_keys} FROM idempotency_keys
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
SELECT {items} FROM items
WHERE updated_at > $after AND updated_at <= $until AND status IN ('succeeded', 'failed', 'cancelled');

-- name: outcomes_of_batch
-- purpose: Return the items of a batch that have ended, and those that had and are read again.
SELECT {items} FROM items
WHERE batch_no = $batch_no AND (status IN ('succeeded', 'failed', 'cancelled') OR result_id IS NOT NULL);

-- name: cancels_between
-- purpose: Return the batches whose cancel was asked after one moment and up to another.
SELECT batch_id FROM batches WHERE cancel_requested_at > $after AND cancel_requested_at <= $until;

-- name: digests_of_files
-- purpose: Return the digests that are known of these files.
SELECT file_id, sha256 FROM files
WHERE sha256 IS NOT NULL AND file_id IN (SELECT unnest($file_ids::VARCHAR[]));

-- name: last_numbers
-- purpose: Return the numbers of the last file and batch.
SELECT (SELECT coalesce(max(file_no), 0) FROM files), (SELECT coalesce(max(batch_no), 0) FROM batches);

-- name: deletions_after
-- purpose: Return what was deleted after a number, in order.
SELECT {deletions} FROM deletions
WHERE deletion_no > $deletion_no ORDER BY deletion_no LIMIT $limit;

-- name: forget_deletions
-- purpose: Forget deletions that were archived.
DELETE FROM deletions WHERE deletion_no <= $deletion_no;

-- name: usage_of_batches
-- purpose: Return what items of batches were billed, also of batches that are gone.
SELECT {usage} FROM usage
WHERE batch_id IN (SELECT unnest($batch_ids::VARCHAR[]));

-- name: batches_of_files
-- purpose: Return the batches whose items name these files.
SELECT DISTINCT batch_id FROM items WHERE file_id IN (SELECT unnest($file_ids::VARCHAR[])) ORDER BY batch_id;

-- name: retries_between
-- purpose: Return the batches of which items were reopened after one moment and up to another.
SELECT batch_id FROM batches WHERE retried_at > $after AND retried_at <= $until;
