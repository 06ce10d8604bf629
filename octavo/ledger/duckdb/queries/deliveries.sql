-- name: delete_deliveries_of
-- purpose: Remove a webhook's deliveries.
DELETE FROM deliveries WHERE webhook_id = $webhook_id;

-- name: delete_attempts_of
-- purpose: Remove the attempts of a webhook's deliveries.
DELETE FROM attempts WHERE delivery_id IN (SELECT delivery_id FROM deliveries WHERE webhook_id = $webhook_id);

-- name: cancel_deliveries
-- purpose: Call off what is pending for a webhook.
UPDATE deliveries SET status = 'cancelled', next_attempt_at = NULL, completed_at = $moment
WHERE webhook_id = $webhook_id AND status = 'pending';

-- name: deliveries_of_webhook
-- purpose: Return a page of a webhook's deliveries, newest first.
SELECT {deliveries} FROM deliveries
WHERE webhook_id = $webhook_id
    AND ($created_at IS NULL OR (created_at, delivery_id) < ($created_at, $delivery_id))
ORDER BY created_at DESC, delivery_id DESC
LIMIT $limit;

-- name: deliveries_by_id
-- purpose: Return these deliveries.
SELECT {deliveries} FROM deliveries WHERE delivery_id IN (SELECT unnest($delivery_ids::VARCHAR[]));

-- name: due_deliveries
-- purpose: Return the deliveries that are due, of each webhook only as many as may be on their way.
SELECT delivery_id, webhook_id, customer_id, next_attempt_at FROM deliveries
WHERE status = 'pending' AND next_attempt_at <= $moment AND (leased_until IS NULL OR leased_until <= $moment)
QUALIFY row_number() OVER (PARTITION BY webhook_id ORDER BY next_attempt_at, delivery_id) <= $of_each;

-- name: leased_deliveries
-- purpose: Return whose deliveries are on their way.
SELECT webhook_id, customer_id FROM deliveries WHERE leased_until > $moment;

-- name: later_deliveries
-- purpose: Return when the next delivery comes due, or a lease runs out.
SELECT least(
    min(next_attempt_at) FILTER (WHERE status = 'pending' AND next_attempt_at > $moment),
    min(leased_until) FILTER (WHERE leased_until > $moment)
)
FROM deliveries WHERE status = 'pending' OR leased_until > $moment;

-- name: attempts_of
-- purpose: Return the attempts of these deliveries, the first one first.
SELECT {attempts} FROM attempts
WHERE delivery_id IN (SELECT unnest($delivery_ids::VARCHAR[]))
ORDER BY delivery_id, attempt_no;

-- name: prune_attempts
-- purpose: Remove the attempts of deliveries that were over before a moment.
DELETE FROM attempts WHERE delivery_id IN (
    SELECT delivery_id FROM deliveries WHERE status <> 'pending' AND completed_at < $before
);

-- name: prune_deliveries
-- purpose: Remove deliveries that were over before a moment, and return them.
DELETE FROM deliveries WHERE status <> 'pending' AND completed_at < $before RETURNING delivery_id;
