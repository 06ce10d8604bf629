-- name: all_slices
-- purpose: Return all open slices.
SELECT slice_id, batch_id, customer_id, run_id, worker_id, expires_at, open_items FROM slices;

-- name: held_slots
-- purpose: Count the open slices of each customer at each worker.
SELECT customer_id, worker_id, count(*) FROM slices GROUP BY customer_id, worker_id ORDER BY customer_id, worker_id;

-- name: add_slices
-- purpose: Open slices.
INSERT INTO slices (slice_id, batch_id, customer_id, run_id, worker_id, expires_at, open_items)
SELECT
    unnest($slice_id::VARCHAR[]), unnest($batch_id::VARCHAR[]), unnest($customer_id::VARCHAR[]),
    unnest($run_id::VARCHAR[]), unnest($worker_id::VARCHAR[]), unnest($expires_at::TIMESTAMP[]),
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
