-- name: slices_by_id
-- purpose: Return those of these slices that are open.
SELECT slice_id, batch_id, customer_id, run_id, worker_id, expires_at, open_items
FROM slices WHERE slice_id IN (SELECT unnest($slice_ids::VARCHAR[]));

-- name: slices_of_worker
-- purpose: Return the open slices of a worker.
SELECT slice_id, batch_id, customer_id, run_id, worker_id, expires_at, open_items
FROM slices WHERE worker_id = $worker_id;

-- name: slices_of_run
-- purpose: Return the open slices of a run.
SELECT slice_id, batch_id, customer_id, run_id, worker_id, expires_at, open_items
FROM slices WHERE run_id = $run_id;

-- name: expired_slices
-- purpose: Return the open slices whose lease has run out.
SELECT slice_id, batch_id, customer_id, run_id, worker_id, expires_at, open_items
FROM slices WHERE expires_at <= $now;

-- name: open_slice_counts
-- purpose: Count the open slices by whose cap, slots and run they use.
SELECT customer_id, worker_id, run_id, count(*) FROM slices GROUP BY ALL;

-- name: add_slices
-- purpose: Open slices.
INSERT INTO slices (slice_id, batch_id, customer_id, run_id, worker_id, expires_at, open_items)
SELECT
    unnest($slice_ids::VARCHAR[]), unnest($batch_ids::VARCHAR[]), unnest($customer_ids::VARCHAR[]),
    unnest($run_ids::VARCHAR[]), unnest($worker_ids::VARCHAR[]), unnest($expires_ats::TIMESTAMP[]),
    unnest($open_items::INTEGER[]);

-- name: shrink_slices
-- purpose: Write back how many items slices still hold.
UPDATE slices SET open_items = u.open_items
FROM (SELECT unnest($slice_ids::VARCHAR[]) AS slice_id, unnest($open_items::INTEGER[]) AS open_items) u
WHERE slices.slice_id = u.slice_id;

-- name: close_slices
-- purpose: Close slices.
DELETE FROM slices WHERE slice_id IN (SELECT unnest($slice_ids::VARCHAR[]));

-- name: renew_slices
-- purpose: Prolong the leases of slices.
UPDATE slices SET expires_at = $expires_at WHERE slice_id IN (SELECT unnest($slice_ids::VARCHAR[]));

-- name: workers
-- purpose: Return the workers that hold leases or have open runs.
SELECT worker_id FROM slices
UNION
SELECT worker_id FROM runs WHERE status IN ('starting', 'active') AND worker_id IS NOT NULL
ORDER BY worker_id;
