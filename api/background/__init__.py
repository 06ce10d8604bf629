"""The API's own periodic jobs: archive, expiry, webhook deliveries."""
