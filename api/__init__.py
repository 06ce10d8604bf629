"""HTTP only: both dialects, the workers' door, the admin's door."""
