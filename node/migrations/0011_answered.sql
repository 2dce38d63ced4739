-- Whose sums were opened, by name, and over which days: a later roster may give sites other places, and
-- answers over other days are not compared. Rows from before have neither: they are read by the places of
-- the pinned roster and count for every day.
ALTER TABLE survivors ADD COLUMN sites TEXT;
ALTER TABLE survivors ADD COLUMN from_day TEXT;
ALTER TABLE survivors ADD COLUMN to_day TEXT;
