"""Everything that talks to Prefect or decides on flow runs."""
