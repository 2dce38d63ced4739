-- What programmes of empathy and fairness are judged by: how a meeting was assisted and by what language, coarse groups
-- of patients and of clinicians as the hospital declares them, and trainings. Rows from before have none of it.
ALTER TABLE person ADD COLUMN age_band TEXT;
ALTER TABLE person ADD COLUMN gender TEXT;
ALTER TABLE person ADD COLUMN training_country TEXT;

ALTER TABLE encounter ADD COLUMN scribe_minutes REAL;
ALTER TABLE encounter ADD COLUMN call_minutes REAL;
ALTER TABLE encounter ADD COLUMN presence_minutes REAL;
ALTER TABLE encounter ADD COLUMN interruptions INTEGER;
ALTER TABLE encounter ADD COLUMN language TEXT;
ALTER TABLE encounter ADD COLUMN patient_age_band TEXT;
ALTER TABLE encounter ADD COLUMN deprivation_band TEXT;
ALTER TABLE encounter ADD COLUMN payer TEXT;
ALTER TABLE encounter ADD COLUMN patient_group TEXT;

-- Trainings of clinicians, from staff records; without an end it is not completed.
CREATE TABLE training (
    person    BLOB NOT NULL REFERENCES person (person),
    programme TEXT NOT NULL,
    from_us   INTEGER NOT NULL,
    to_us     INTEGER CHECK (to_us >= from_us),
    hours     REAL,
    src       INTEGER NOT NULL REFERENCES import_batch (id),
    PRIMARY KEY (person, programme, from_us)
) STRICT, WITHOUT ROWID;
