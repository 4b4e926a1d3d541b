-- The two directions of the link between a person and an app or page. Erasing the rows erases the link.
-- Each has its distribution key first in its primary key.
CREATE TABLE scoped_id (
  id     BIGINT NOT NULL PRIMARY KEY,
  person BIGINT NOT NULL,
  scope  BIGINT NOT NULL
);
CREATE TABLE person_scope (
  person BIGINT NOT NULL,
  scope  BIGINT NOT NULL,
  id     BIGINT NOT NULL,
  PRIMARY KEY (person, scope)
);
