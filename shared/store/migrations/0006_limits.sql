-- Which usage limits are lifted is asked every second: of the few attempts that wait for one, not of all.
CREATE INDEX attempt_limit ON attempt (limit_resets_at) WHERE limit_resets_at IS NOT NULL;
