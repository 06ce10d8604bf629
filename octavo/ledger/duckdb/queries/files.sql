-- name: files
-- purpose: Return those of the files that are this customer's.
SELECT {files} FROM files
WHERE file_id IN (SELECT unnest($file_ids::VARCHAR[])) AND customer_id = $customer_id AND status <> 'deleted';

-- name: file_sources
-- purpose: Return where the bytes of files are and what was said of them.
SELECT file_id, object_key, filename, content_type, size_bytes
FROM files WHERE file_id IN (SELECT unnest($file_ids::VARCHAR[]));

-- name: overdue_files
-- purpose: Return those of the files whose time is over, whatever their status says.
SELECT file_id FROM files
WHERE file_id IN (SELECT unnest($file_ids::VARCHAR[])) AND (status = 'expired' OR expires_at <= $now);

-- name: files_in_use
-- purpose: Return those of the files that an unfinished item names.
SELECT DISTINCT i.file_id FROM items i JOIN files f ON f.file_id = i.file_id
WHERE i.status IN ('pending', 'running')
    AND f.status <> 'expired'
    AND i.file_id IN (SELECT unnest($file_ids::VARCHAR[]));

-- name: mark_ready
-- purpose: Make these files ready if they are pending.
UPDATE files SET status = 'ready'
WHERE status = 'pending' AND file_id IN (SELECT unnest($file_ids::VARCHAR[]));

-- name: files_of_batch
-- purpose: Return the files a batch is to name, in the order given, each once, with status and name; none is NULL.
SELECT w.file_id, f.status, f.filename
FROM (
    SELECT file_id, min(place) AS place
    FROM (SELECT unnest($file_ids::VARCHAR[]) AS file_id, unnest(range(len($file_ids::VARCHAR[]))) AS place)
    GROUP BY file_id
) w
LEFT JOIN files f ON f.file_id = w.file_id AND f.customer_id = $customer_id AND f.status <> 'deleted'
ORDER BY w.place;

-- name: refused_files
-- purpose: Return the files a batch may not name, in the order given, each once, with their status.
SELECT w.file_id, f.status
FROM (
    SELECT file_id, min(place) AS place
    FROM (SELECT unnest($file_ids::VARCHAR[]) AS file_id, unnest(range(len($file_ids::VARCHAR[]))) AS place)
    GROUP BY file_id
) w
LEFT JOIN files f ON f.file_id = w.file_id AND f.customer_id = $customer_id AND f.status <> 'deleted'
    AND f.file_id NOT IN (SELECT unnest($expired::VARCHAR[]))
WHERE f.status IS NULL OR f.status <> 'ready'
ORDER BY w.place;

-- name: pending_files
-- purpose: Return those of the files that are this customer's and were not seen in storage; none has an item.
SELECT {files} FROM files
WHERE file_id IN (SELECT unnest($file_ids::VARCHAR[]))
    AND customer_id = $customer_id AND status = 'pending' AND expires_at > $now;

-- name: forget_names
-- purpose: Forget what the items of a file were called: the file was deleted.
UPDATE items SET source_name = NULL WHERE file_id = $file_id AND source_kind = 'file';
