-- What of released data a round is about: JSON, none where data are not released.
ALTER TABLE rounds ADD COLUMN agenda TEXT;
-- What the competition knows copies by.
ALTER TABLE evaluations ADD COLUMN fingerprint TEXT;
