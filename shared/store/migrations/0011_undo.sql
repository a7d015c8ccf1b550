-- How a landing is undone (as `intent` is how it lands), the commit that reverted it, and when it was undone.
ALTER TABLE landing ADD COLUMN undo TEXT;
ALTER TABLE landing ADD COLUMN undo_oid TEXT;
ALTER TABLE landing ADD COLUMN undone_at INTEGER;
