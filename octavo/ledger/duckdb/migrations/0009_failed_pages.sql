-- How many pages of a succeeded item could not be read. Items of before say 0: nobody counted.

ALTER TABLE items ADD COLUMN failed_pages INTEGER DEFAULT 0;
