"""What the service says about itself: front page, health, source, API description."""
