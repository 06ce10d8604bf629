"""How the service is deployed: worker type, registration, templates."""
