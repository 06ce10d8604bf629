-- name: all_slices
-- purpose: Return all open slices.
SELECT {slices} FROM slices;

-- name: held_slots
-- purpose: Count the open slices of each customer at each worker.
SELECT customer_id, worker_id, count(*) FROM slices GROUP BY customer_id, worker_id ORDER BY customer_id, worker_id;

-- name: renew_slices
-- purpose: Prolong the leases of slices.
UPDATE slices SET expires_at = $expires_at WHERE slice_id IN (SELECT unnest($slice_ids::VARCHAR[]));

-- name: workers
-- purpose: Return the workers that hold leases or have open runs.
SELECT worker_id FROM slices
UNION
SELECT worker_id FROM runs WHERE status IN ('starting', 'active') AND worker_id IS NOT NULL
ORDER BY worker_id;
