-- Small facts of this installation: one row a name. `cache_epoch` counts changes that other processes must notice.
CREATE TABLE setting (
  name  TEXT NOT NULL PRIMARY KEY,
  value TEXT NOT NULL
);

-- Counters that hand out numbers in blocks (person keys, scope numbers, cache epoch).
CREATE TABLE counter (
  name TEXT   NOT NULL PRIMARY KEY,
  next BIGINT NOT NULL
);
INSERT INTO counter (name, next) VALUES ('person', 1), ('scope', 1), ('cache_epoch', 1);

-- The sandbox's clock: one row, one truth for every process.
-- now = frozen_ms, or base_ms + (system now - anchor_ms) * scale_permille / 1000.
CREATE TABLE sandbox_clock (
  id             BIGINT NOT NULL PRIMARY KEY,
  frozen_ms      BIGINT,
  base_ms        BIGINT NOT NULL,
  anchor_ms      BIGINT NOT NULL,
  scale_permille BIGINT NOT NULL
);
