-- name: next_batch_no
-- purpose: Return the number of the next batch.
SELECT nextval('batch_numbers');

-- name: idempotency_key
-- purpose: Return what a key was used for, and when.
SELECT {idempotency_keys} FROM idempotency_keys
WHERE customer_id = $customer_id AND idempotency_key = $idempotency_key;

-- name: prune_idempotency_keys
-- purpose: Remove the keys that are new again, and return them.
DELETE FROM idempotency_keys WHERE created_at <= $before RETURNING idempotency_key;

-- name: batches_by_id
-- purpose: Return these batches.
SELECT {batches} FROM batches WHERE batch_id IN (SELECT unnest($batch_ids::VARCHAR[]));

-- name: batch
-- purpose: Return one batch.
SELECT {batches} FROM batches WHERE batch_id = $batch_id;

-- name: shown_batch
-- purpose: Return one batch as its customer sees it.
SELECT {shown_batches} FROM batches WHERE batch_id = $batch_id;

-- name: batch_no
-- purpose: Return the number of a batch.
SELECT batch_no FROM batches WHERE batch_id = $batch_id;

-- name: batches_of_customer
-- purpose: Return a page of a customer's batches, newest first, of one status if it is given.
SELECT {shown_batches} FROM batches
WHERE customer_id = $customer_id
    AND ($status IS NULL OR status = $status)
    AND ($created_at IS NULL OR (created_at, batch_id) < ($created_at, $batch_id))
ORDER BY created_at DESC, batch_id DESC
LIMIT $limit;

-- name: open_batches
-- purpose: Return all batches that are not terminal, oldest first.
SELECT {batches} FROM batches WHERE status IN ('pending', 'running', 'cancelling') ORDER BY created_at, batch_id;
