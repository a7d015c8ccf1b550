-- What a person let pass at a landing although a gate objected.
ALTER TABLE landing ADD COLUMN overridden TEXT NOT NULL DEFAULT '[]';
