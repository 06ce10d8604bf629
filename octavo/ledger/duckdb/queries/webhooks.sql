-- name: all_webhooks
-- purpose: Return all webhooks, oldest first.
SELECT {webhooks} FROM webhooks ORDER BY created_at, webhook_id;

-- name: webhooks_of_customer
-- purpose: Return a customer's webhooks, oldest first.
SELECT {webhooks} FROM webhooks WHERE customer_id = $customer_id ORDER BY created_at, webhook_id;

-- name: webhook
-- purpose: Return one webhook.
SELECT {webhooks} FROM webhooks WHERE webhook_id = $webhook_id;

-- name: delete_webhook
-- purpose: Remove a webhook.
DELETE FROM webhooks WHERE webhook_id = $webhook_id;
