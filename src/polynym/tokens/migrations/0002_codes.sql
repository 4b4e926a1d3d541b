-- Authorization codes: made by the login dialog or for a client, traded once for a token. `hash` is a keyed hash, `scopes`
-- what the person had granted by then, `redirect_uri` NULL for a code that was not delivered by a redirect. `parent` is the
-- hash of the token that a client's code was made from; such a code is traded without the app's secret.
CREATE TABLE authorization_code (
  hash          TEXT   NOT NULL PRIMARY KEY,
  app           TEXT   NOT NULL,
  person        BIGINT NOT NULL,
  redirect_uri  TEXT,
  scopes        TEXT   NOT NULL,
  challenge     TEXT,
  challenge_how TEXT,
  nonce         TEXT,
  parent        TEXT,
  issued_ms     BIGINT NOT NULL,
  expires_ms    BIGINT NOT NULL,
  used_ms       BIGINT
);
CREATE INDEX authorization_code_person ON authorization_code (person, app);
CREATE INDEX authorization_code_app ON authorization_code (app);
CREATE INDEX authorization_code_expires ON authorization_code (expires_ms);

-- Hashes of the codes that a token goes back to, as `,a,b,`: whoever trades one of them again ends the token.
ALTER TABLE token ADD COLUMN origins TEXT;
