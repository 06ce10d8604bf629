"""The extract.page dialect, `/v1`."""
