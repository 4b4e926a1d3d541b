-- Calls counted for rate limits: minutes for apps, hours for pages (bucket = epoch ms / bucket length), one row a process.
CREATE TABLE usage_bucket (
  kind    TEXT   NOT NULL,
  asset   TEXT   NOT NULL,
  bucket  BIGINT NOT NULL,
  process TEXT   NOT NULL,
  calls   BIGINT NOT NULL,
  PRIMARY KEY (kind, asset, bucket, process)
);
