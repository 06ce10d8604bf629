-- How far running items are that take long, and under which result to be their finished pages are kept.
-- Written once per heartbeat and item at most, and never for short ones.

ALTER TABLE items ADD COLUMN pages_done INTEGER;
ALTER TABLE items ADD COLUMN pages_total INTEGER;
ALTER TABLE items ADD COLUMN kept_in VARCHAR;
