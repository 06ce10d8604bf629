-- Whether an item was given a result that was there already.

ALTER TABLE items ADD COLUMN reused BOOLEAN DEFAULT false;
