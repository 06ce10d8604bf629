-- name: last_run_no
-- purpose: Return the number of a batch's last run, 0 before the first.
SELECT coalesce(max(run_no), 0) FROM runs WHERE batch_id = $batch_id;

-- name: run
-- purpose: Return the run with a flow run's id.
SELECT {runs} FROM runs WHERE run_id = $run_id;

-- name: runs_by_id
-- purpose: Return the runs with these flow runs' ids.
SELECT {runs} FROM runs WHERE run_id IN (SELECT unnest($run_ids::VARCHAR[]));

-- name: numbered_run
-- purpose: Return one run by its number.
SELECT {runs} FROM runs WHERE batch_id = $batch_id AND run_no = $run_no;

-- name: open_runs
-- purpose: Return the runs that are starting or active.
SELECT {runs} FROM runs WHERE status IN ('starting', 'active') ORDER BY batch_id, run_no;

-- name: open_runs_of_worker
-- purpose: Return the runs of a worker that are starting or active.
SELECT {runs} FROM runs WHERE worker_id = $worker_id AND status IN ('starting', 'active');

-- name: lost_runs
-- purpose: Return the runs whose flow run is still to be ended, oldest first.
SELECT {runs} FROM runs WHERE status = 'lost' ORDER BY created_at, batch_id, run_no;

-- name: starting_runs
-- purpose: Return the runs that no worker has begun yet, oldest first.
SELECT {runs} FROM runs WHERE status = 'starting' ORDER BY created_at, batch_id, run_no;

-- name: prune_runs
-- purpose: Remove ended runs of batches that ended and expired, or are gone, and return them.
DELETE FROM runs
WHERE status = 'ended' AND seen_at < $seen_before AND batch_id NOT IN (
    SELECT batch_id FROM batches WHERE completed_at IS NULL OR expires_at >= $moment
)
RETURNING run_id;
