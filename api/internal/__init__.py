"""What workers call: claims, reports, heartbeats."""
