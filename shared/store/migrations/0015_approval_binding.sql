-- What a person approved to start: the policy's hash, the command and which attempt, in one hash.
ALTER TABLE task ADD COLUMN approved_hash TEXT;
