/** The table of keys and answers. */
export const keyTable = 'keelson_idempotency_keys';

/** Creates it. */
export const createKeyTable = `
  create table ${keyTable} (
    scope text not null,
    key text not null,
    fingerprint text not null,
    answer text,
    expires_at timestamptz not null,
    primary key (scope, key)
  )`;

export const createKeyIndex = `create index ${keyTable}_expires_at on ${keyTable} (expires_at)`;

/**
 * One row when the key is free now, or its answer has expired. Waits for another transaction that has claimed the key:
 * when that is rolled back, the key is free.
 */
export const claimKey = `
  insert into ${keyTable} as known (scope, key, fingerprint, expires_at)
  values (?, ?, ?, now() + ? * interval '1 millisecond')
  on conflict (scope, key) do update
    set fingerprint = excluded.fingerprint, answer = null, expires_at = excluded.expires_at
    where known.expires_at < now()
  returning 1`;

export const findAnswer = `select fingerprint, answer from ${keyTable} where scope = ? and key = ?`;

export const storeAnswer = `update ${keyTable} set answer = ? where scope = ? and key = ?`;

/** Passes over what another instance deletes at the same time. */
export const deleteExpired = `
  delete from ${keyTable} where ctid in (
    select ctid from ${keyTable} where expires_at < now() limit ? for update skip locked
  )`;
