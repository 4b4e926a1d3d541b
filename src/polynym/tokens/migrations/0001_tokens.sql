-- What a person has allowed an app: scopes with a state (granted | declined), and the assets a scope is limited to
-- (`targets`: a JSON list of ids, NULL for all assets).
CREATE TABLE app_grant (
  person     BIGINT NOT NULL,
  app        TEXT   NOT NULL,
  scope      TEXT   NOT NULL,
  state      TEXT   NOT NULL,
  targets    TEXT,
  granted_ms BIGINT NOT NULL,
  PRIMARY KEY (person, app, scope)
);
CREATE INDEX app_grant_app ON app_grant (app, person);

-- One row a token. `hash` is a keyed hash; `sealed` (AES-GCM) only for tokens that the API must show again.
-- `scopes` is `,a,b,` so that one statement can take one scope out; `targets` is a JSON object of scope -> ids.
-- `person` of a system user's token is the key under which its tasks on pages are kept. `parent` is the hash of the user
-- token that a page token was derived from. An expired token has no `dead_ms`: the clock decides.
CREATE TABLE token (
  hash                   TEXT   NOT NULL PRIMARY KEY,
  sealed                 TEXT,
  kind                   TEXT   NOT NULL,
  app                    TEXT   NOT NULL,
  person                 BIGINT,
  page                   TEXT,
  system_user_id         TEXT,
  scopes                 TEXT   NOT NULL,
  targets                TEXT,
  issued_ms              BIGINT NOT NULL,
  expires_ms             BIGINT,
  data_access_expires_ms BIGINT,
  parent                 TEXT,
  dead_ms                BIGINT,
  dead_reason            TEXT
);
CREATE INDEX token_person_app ON token (person, app);
CREATE INDEX token_app ON token (app, kind);
CREATE INDEX token_page ON token (page) WHERE page IS NOT NULL;
CREATE INDEX token_system_user ON token (system_user_id) WHERE system_user_id IS NOT NULL;
CREATE INDEX token_parent ON token (parent) WHERE parent IS NOT NULL;
