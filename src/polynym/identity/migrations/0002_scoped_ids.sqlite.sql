-- The two directions of the link between a person and an app or page. Erasing the rows erases the link.
-- On SQLite `scoped_id` is a rowid table (the id is the rowid) and `person_scope` has no rowid: about 50 bytes an id for both.
CREATE TABLE scoped_id (
  id     INTEGER NOT NULL PRIMARY KEY,
  person BIGINT  NOT NULL,
  scope  BIGINT  NOT NULL
);
CREATE TABLE person_scope (
  person BIGINT NOT NULL,
  scope  BIGINT NOT NULL,
  id     BIGINT NOT NULL,
  PRIMARY KEY (person, scope)
) WITHOUT ROWID;
