-- Authorization codes: made by the login dialog or for a client, traded once for a token. `hash` is a keyed hash, `scopes`
-- what the person had granted by then, `redirect_uri` NULL for a code that was not delivered by a redirect. `token` is the
-- hash of the token it was traded for: who trades it again ends that one. `for_client_ms` lets an app trade it without its
-- secret.
CREATE TABLE authorization_code (
  hash          TEXT   NOT NULL PRIMARY KEY,
  app           TEXT   NOT NULL,
  person        BIGINT NOT NULL,
  redirect_uri  TEXT,
  scopes        TEXT   NOT NULL,
  challenge     TEXT,
  challenge_how TEXT,
  nonce         TEXT,
  for_client_ms BIGINT,
  issued_ms     BIGINT NOT NULL,
  expires_ms    BIGINT NOT NULL,
  used_ms       BIGINT,
  token         TEXT
);
CREATE INDEX authorization_code_person ON authorization_code (person, app);
CREATE INDEX authorization_code_app ON authorization_code (app);
CREATE INDEX authorization_code_expires ON authorization_code (expires_ms);
