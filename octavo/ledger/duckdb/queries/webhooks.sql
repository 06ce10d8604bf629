-- name: add_webhook
-- purpose: Keep a new webhook.
INSERT INTO webhooks (
    webhook_id, customer_id, dialect, url, events, enabled, disabled_reason, secret_no, former_until, created_at,
    updated_at
)
VALUES (
    $webhook_id, $customer_id, $dialect, $url, $events, $enabled, $disabled_reason, $secret_no, $former_until,
    $created_at, $updated_at
);

-- name: all_webhooks
-- purpose: Return all webhooks, oldest first.
SELECT
    webhook_id, customer_id, dialect, url, events, enabled, disabled_reason, secret_no, former_until, created_at,
    updated_at
FROM webhooks ORDER BY created_at, webhook_id;

-- name: webhooks_of_customer
-- purpose: Return a customer's webhooks, oldest first.
SELECT
    webhook_id, customer_id, dialect, url, events, enabled, disabled_reason, secret_no, former_until, created_at,
    updated_at
FROM webhooks WHERE customer_id = $customer_id ORDER BY created_at, webhook_id;

-- name: webhook
-- purpose: Return one webhook.
SELECT
    webhook_id, customer_id, dialect, url, events, enabled, disabled_reason, secret_no, former_until, created_at,
    updated_at
FROM webhooks WHERE webhook_id = $webhook_id;

-- name: store_webhook
-- purpose: Write back what changes of a webhook.
UPDATE webhooks SET
    url = $url, events = $events, enabled = $enabled, disabled_reason = $disabled_reason, secret_no = $secret_no,
    former_until = $former_until, updated_at = $updated_at
WHERE webhook_id = $webhook_id;

-- name: delete_webhook
-- purpose: Remove a webhook.
DELETE FROM webhooks WHERE webhook_id = $webhook_id;

-- name: delete_deliveries_of
-- purpose: Remove a webhook's deliveries.
DELETE FROM deliveries WHERE webhook_id = $webhook_id;

-- name: delete_attempts_of
-- purpose: Remove the attempts of a webhook's deliveries.
DELETE FROM attempts WHERE delivery_id IN (SELECT delivery_id FROM deliveries WHERE webhook_id = $webhook_id);

-- name: add_deliveries
-- purpose: Keep new deliveries.
INSERT INTO deliveries (
    delivery_id, webhook_id, customer_id, event, batch_id, batch_status, succeeded, failed, cancelled,
    batch_completed_at, batch_expires_at, created_at, next_attempt_at, status, attempts, schedule_no, lease_no
)
SELECT
    unnest($delivery_id::VARCHAR[]), unnest($webhook_id::VARCHAR[]), unnest($customer_id::VARCHAR[]),
    unnest($event::VARCHAR[]), unnest($batch_id::VARCHAR[]), unnest($batch_status::VARCHAR[]),
    unnest($succeeded::INTEGER[]), unnest($failed::INTEGER[]), unnest($cancelled::INTEGER[]),
    unnest($batch_completed_at::TIMESTAMP[]), unnest($batch_expires_at::TIMESTAMP[]),
    unnest($created_at::TIMESTAMP[]), unnest($next_attempt_at::TIMESTAMP[]), 'pending', 0, 0, 0;

-- name: store_delivery
-- purpose: Write back what changes of a delivery.
UPDATE deliveries SET
    status = $status, attempts = $attempts, schedule_no = $schedule_no, next_attempt_at = $next_attempt_at,
    leased_until = $leased_until, lease_no = $lease_no, completed_at = $completed_at
WHERE delivery_id = $delivery_id;

-- name: cancel_deliveries
-- purpose: Call off what is pending for a webhook.
UPDATE deliveries SET status = 'cancelled', next_attempt_at = NULL, completed_at = $moment
WHERE webhook_id = $webhook_id AND status = 'pending';

-- name: deliveries_of_webhook
-- purpose: Return a page of a webhook's deliveries, newest first.
SELECT
    delivery_id, webhook_id, customer_id, event, batch_id, batch_status, succeeded, failed, cancelled,
    batch_completed_at, batch_expires_at, created_at, status, attempts, schedule_no, next_attempt_at, leased_until,
    lease_no, completed_at
FROM deliveries
WHERE webhook_id = $webhook_id
    AND ($created_at IS NULL OR (created_at, delivery_id) < ($created_at, $delivery_id))
ORDER BY created_at DESC, delivery_id DESC
LIMIT $limit;

-- name: deliveries_by_id
-- purpose: Return these deliveries.
SELECT
    delivery_id, webhook_id, customer_id, event, batch_id, batch_status, succeeded, failed, cancelled,
    batch_completed_at, batch_expires_at, created_at, status, attempts, schedule_no, next_attempt_at, leased_until,
    lease_no, completed_at
FROM deliveries WHERE delivery_id IN (SELECT unnest($delivery_ids::VARCHAR[]));

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

-- name: add_attempt
-- purpose: Keep an attempt.
INSERT INTO attempts (delivery_id, attempt_no, started_at, seconds, status_code, error, answer)
VALUES ($delivery_id, $attempt_no, $started_at, $seconds, $status_code, $error, $answer);

-- name: attempts_of
-- purpose: Return the attempts of these deliveries, the first one first.
SELECT delivery_id, attempt_no, started_at, seconds, status_code, error, answer FROM attempts
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

-- name: restore_webhooks
-- purpose: Put archived webhooks back.
INSERT INTO webhooks (
    webhook_id, customer_id, dialect, url, events, enabled, disabled_reason, secret_no, former_until, created_at,
    updated_at
)
SELECT
    unnest($webhook_id::VARCHAR[]), unnest($customer_id::VARCHAR[]), unnest($dialect::VARCHAR[]),
    unnest($url::VARCHAR[]), unnest($events::VARCHAR[]), unnest($enabled::BOOLEAN[]),
    unnest($disabled_reason::VARCHAR[]), unnest($secret_no::INTEGER[]), unnest($former_until::TIMESTAMP[]),
    unnest($created_at::TIMESTAMP[]), unnest($updated_at::TIMESTAMP[]);
