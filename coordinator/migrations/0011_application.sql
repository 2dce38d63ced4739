PRAGMA application_id = 1413563215; -- "TACO": tells a coordinator's database from any other SQLite file
