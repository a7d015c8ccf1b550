-- A comment after it was written: edited as a draft, already outdated when it was sent, resolved by a person. `around` is
-- what stood beside its lines (`{before, after, removed}`), to find what they became; older comments have none.
ALTER TABLE comment ADD COLUMN edited_at INTEGER;
ALTER TABLE comment ADD COLUMN around TEXT;
ALTER TABLE comment ADD COLUMN was_outdated INTEGER NOT NULL DEFAULT 0;
ALTER TABLE comment ADD COLUMN resolved_by TEXT;
ALTER TABLE comment ADD COLUMN resolved_at INTEGER;
