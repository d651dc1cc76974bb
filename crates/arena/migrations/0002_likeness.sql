-- What a model computes, and how it answered the round's sample: a JSON list, empty unless it was scored.
ALTER TABLE evaluations ADD COLUMN canonical TEXT;
ALTER TABLE evaluations ADD COLUMN portrait TEXT NOT NULL DEFAULT '[]';
