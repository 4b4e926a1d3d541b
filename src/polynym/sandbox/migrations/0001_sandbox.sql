-- What a world file says about features that are not built yet, sealed, word for word, so that an export has it again.
-- `kind` is the entity's noun, `entity` its id (for a person the internal key), `section` the key in the file.
CREATE TABLE world_section (
  kind    TEXT NOT NULL,
  entity  TEXT NOT NULL,
  section TEXT NOT NULL,
  content TEXT NOT NULL,
  PRIMARY KEY (kind, entity, section)
);

-- When a person last wrote to a page, and what. `person_scope` says whether they ever did.
CREATE TABLE contact (
  person   BIGINT NOT NULL,
  scope    BIGINT NOT NULL,
  wrote_ms BIGINT NOT NULL,
  message  TEXT,
  PRIMARY KEY (person, scope)
);
CREATE INDEX contact_scope ON contact (scope);
