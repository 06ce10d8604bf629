-- name: create_migrations
-- purpose: Make the table that records which migrations have run.
CREATE TABLE IF NOT EXISTS schema_migrations (
    version INTEGER PRIMARY KEY,
    name VARCHAR NOT NULL,
    applied_at TIMESTAMP NOT NULL
);

-- name: applied_migrations
-- purpose: Return the versions that have run.
SELECT version FROM schema_migrations ORDER BY version;

-- name: record_migration
-- purpose: Note that a migration has run.
INSERT INTO schema_migrations VALUES ($version, $name, $applied_at);

-- name: last_commit
-- purpose: Return the latest moment any commit has given, so that the next one is later.
SELECT greatest(
    (SELECT max(updated_at) FROM items),
    (SELECT max(greatest(created_at, started_at, cancel_requested_at, completed_at)) FROM batches),
    -- What came last may have been deleted; what comes next must be new to the archive.
    (SELECT max(updated_at) FROM archive_position WHERE updated_at > TIMESTAMP '1970-01-01')
);
