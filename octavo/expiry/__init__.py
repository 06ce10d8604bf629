"""What has had its time goes from storage: expired, deleted, or named by nobody."""
