/** The table of counts that instances share. What a crash would lose is of no worth, so nothing of it is logged. */
export const countTable = 'keelson_rate_limits';

export const createCountTable = `
  create unlogged table if not exists ${countTable} (
    key text primary key,
    count integer not null,
    ends_at timestamptz not null
  )`;

export const createCountIndex = `create index if not exists ${countTable}_ends_at on ${countTable} (ends_at)`;

export const readNoCount = `select key, count, ends_at from ${countTable} limit 0`;

/** Counts a request in the window of its caller, or begins a window. By the clock of the server, which all instances share. */
export const countRequest = `
  insert into ${countTable} as known (key, count, ends_at)
  values (?, ?, now() + ? * interval '1 millisecond')
  on conflict (key) do update set
    count = case when known.ends_at <= now() then excluded.count else known.count + excluded.count end,
    ends_at = case when known.ends_at <= now() then excluded.ends_at else known.ends_at end
  returning count, greatest(0, ceil(extract(epoch from ends_at - clock_timestamp()) * 1000))::integer as "leftMs"`;

/** Passes over what another instance deletes at the same time. */
export const deleteEnded = `
  delete from ${countTable} where ctid in (
    select ctid from ${countTable} where ends_at < now() limit ? for update skip locked
  )`;
