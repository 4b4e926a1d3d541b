-- Which kind of thing a public, global id names: the only place where a number is looked up without knowing its kind.
CREATE TABLE object (
  id   TEXT NOT NULL PRIMARY KEY,
  kind TEXT NOT NULL
);

CREATE TABLE business (
  id                   TEXT   NOT NULL PRIMARY KEY,
  key                  TEXT   UNIQUE,
  name                 TEXT   NOT NULL,
  verified_ms          BIGINT,
  -- approved | pending | rejected | unreviewed: may this business use ID matching (contract graph 6.5)
  review_state         TEXT   NOT NULL,
  review_due_ms        BIGINT,
  service_provider_ms  BIGINT,
  vertical             TEXT,
  timezone_id          BIGINT,
  primary_page         TEXT,
  created_by           TEXT,
  created_ms           BIGINT NOT NULL,
  updated_ms           BIGINT NOT NULL
);

-- Numbers that stand for an app or a page in the two big tables below. Internal, small, never shown.
CREATE TABLE scope (
  number BIGINT NOT NULL PRIMARY KEY,
  kind   TEXT   NOT NULL,
  asset  TEXT   NOT NULL UNIQUE
);

CREATE TABLE app (
  id                    TEXT   NOT NULL PRIMARY KEY,
  key                   TEXT   UNIQUE,
  scope                 BIGINT NOT NULL UNIQUE,
  name                  TEXT   NOT NULL,
  secret_sealed         TEXT   NOT NULL,
  client_token_sealed   TEXT   NOT NULL,
  business              TEXT,
  business_since_ms     BIGINT,
  mode                  TEXT   NOT NULL,
  category              TEXT,
  subcategory           TEXT,
  namespace             TEXT   UNIQUE,
  link                  TEXT,
  description           TEXT,
  company               TEXT,
  app_type              BIGINT,
  privacy_policy_url    TEXT,
  terms_of_service_url  TEXT,
  deauth_callback_url   TEXT,
  deletion_callback_url TEXT,
  app_domains           TEXT,
  redirect_uris         TEXT,
  require_app_secret_ms BIGINT,
  native_ms             BIGINT,
  created_ms            BIGINT NOT NULL
);
CREATE INDEX app_business ON app (business, scope);

-- Businesses that may use an app without owning it.
CREATE TABLE app_client (
  business   TEXT   NOT NULL,
  app        TEXT   NOT NULL,
  created_ms BIGINT NOT NULL,
  PRIMARY KEY (business, app)
);

CREATE TABLE app_permission (
  app    TEXT NOT NULL,
  name   TEXT NOT NULL,
  access TEXT NOT NULL,
  PRIMARY KEY (app, name)
);

CREATE TABLE app_role (
  app    TEXT   NOT NULL,
  person BIGINT NOT NULL,
  role   TEXT   NOT NULL,
  PRIMARY KEY (app, person)
);
CREATE INDEX app_role_person ON app_role (person);

CREATE TABLE page (
  id                TEXT   NOT NULL PRIMARY KEY,
  key               TEXT   UNIQUE,
  scope             BIGINT NOT NULL UNIQUE,
  name              TEXT   NOT NULL,
  username          TEXT   UNIQUE,
  category          TEXT,
  link              TEXT,
  about             TEXT,
  business          TEXT,
  business_since_ms BIGINT,
  otn_state         TEXT   NOT NULL,
  is_published      BIGINT NOT NULL,
  created_ms        BIGINT NOT NULL
);
CREATE INDEX page_business ON page (business, scope);

-- `tasks` is what the page's owner permits, comma-separated; NULL for all.
CREATE TABLE page_client (
  business   TEXT   NOT NULL,
  page       TEXT   NOT NULL,
  tasks      TEXT,
  created_ms BIGINT NOT NULL,
  PRIMARY KEY (business, page)
);

-- What a person may do on a page: comma-separated task names, in the platform's order.
CREATE TABLE page_task (
  page   TEXT   NOT NULL,
  person BIGINT NOT NULL,
  tasks  TEXT   NOT NULL,
  PRIMARY KEY (page, person)
);
CREATE INDEX page_task_person ON page_task (person);

-- Members of a business and their role there (ADMIN | EMPLOYEE | DEVELOPER …). `id` is the business-scoped user id.
CREATE TABLE business_member (
  business   TEXT   NOT NULL,
  person     BIGINT NOT NULL,
  id         TEXT   NOT NULL UNIQUE,
  role       TEXT   NOT NULL,
  created_ms BIGINT NOT NULL,
  PRIMARY KEY (business, person)
);
CREATE INDEX business_member_person ON business_member (person);

-- Claims that wait for the owner's consent. kind: app | page; access: owned | client.
CREATE TABLE business_claim (
  id         TEXT   NOT NULL PRIMARY KEY,
  business   TEXT   NOT NULL,
  kind       TEXT   NOT NULL,
  asset      TEXT   NOT NULL,
  access     TEXT   NOT NULL,
  tasks      TEXT,
  created_ms BIGINT NOT NULL,
  UNIQUE (business, kind, asset, access)
);

-- `key` is the world file's name; `person` never leaves the server.
CREATE TABLE person (
  person             BIGINT NOT NULL PRIMARY KEY,
  key                TEXT   UNIQUE,
  name               TEXT   NOT NULL,
  first_name         TEXT   NOT NULL,
  middle_name        TEXT,
  last_name          TEXT,
  locale             TEXT   NOT NULL,
  timezone           BIGINT,
  gender             TEXT,
  email              TEXT   UNIQUE,
  birthday           TEXT,
  payment_enabled_ms BIGINT,
  profile            TEXT   NOT NULL,
  password_hash      TEXT,
  session_epoch      BIGINT NOT NULL,
  created_ms         BIGINT NOT NULL
);

CREATE TABLE phone (
  person      BIGINT NOT NULL,
  number      TEXT   NOT NULL,
  verified_ms BIGINT,
  PRIMARY KEY (person, number)
);
CREATE INDEX phone_number ON phone (number);

-- token_for_business: random, so that nothing leads back from it; made at first sight, erased with the person.
CREATE TABLE business_token (
  person   BIGINT NOT NULL,
  business TEXT   NOT NULL,
  token    TEXT   NOT NULL,
  PRIMARY KEY (person, business)
);
