import type { Clock } from '@keelson/core';
import type { DatabaseService } from './database-service.js';
import type { EntityManager } from './orm/entity-manager.js';

/** What a server says of itself and of the role that asks. */
export interface ServerFacts {
  /** `18.1`. */
  readonly version: string;
  /** `180001`. */
  readonly versionNumber: number;
  readonly role: string;
  readonly superuser: boolean;
  /** Where tables without a schema go; undefined when there is none. */
  readonly schema: string | undefined;
  /** Those of the asked schemas and of `schema` that exist and in which the role may not create. */
  readonly lacking: readonly string[];
  readonly standby: boolean;
  /** Whether transactions are read-only unless they say otherwise. */
  readonly readOnly: boolean;
  readonly maxConnections: number;
  /** Connections that this role may have at most, all instances together. */
  readonly room: number;
  readonly inUse: number;
  /** By the name of the setting; 0 is none. */
  readonly timeoutsMs: Readonly<Record<string, number>>;
  /** The median of a few round trips. */
  readonly latencyMs: number;
  /** The clock of the server less the clock of the service. */
  readonly skewMs: number;
}

export interface ServerQuestion {
  readonly database: DatabaseService;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly schemas: readonly string[];
}

/** Asks in one read-only session on the server that takes writes. */
export function askServer({ database, clock, signal, schemas }: ServerQuestion): Promise<ServerFacts> {
  const ask = async (em: EntityManager): Promise<ServerFacts> => {
    const [row] = await em.execute<[Row]>(question);
    const { roleLimit, databaseLimit, maxConnections, reserved, schema, ...facts } = row;
    const limits = [roleLimit, databaseLimit].filter(limit => limit >= 0);
    return {
      ...facts,
      schema: schema ?? undefined,
      lacking: await lackingOf(em, schema === null ? schemas : [...new Set([schema, ...schemas])]),
      maxConnections,
      room: Math.min(maxConnections - reserved, ...limits),
      timeoutsMs: await timeoutsOf(em),
      ...(await timesOf(em, clock)),
    };
  };
  return database.session(ask, { name: 'diagnose', readOnly: true, fresh: true, nested: 'separate', signal });
}

interface Row extends Omit<ServerFacts, 'schema' | 'lacking' | 'room' | 'timeoutsMs' | 'latencyMs' | 'skewMs'> {
  readonly schema: string | null;
  readonly roleLimit: number;
  readonly databaseLimit: number;
  readonly reserved: number;
}

/** reserved_connections is of PostgreSQL 16; a superuser may take both reserves. */
const question = `
  select current_setting('server_version') as "version", current_setting('server_version_num')::int as "versionNumber",
    current_user::text as "role", rolsuper as "superuser", current_schema()::text as "schema",
    pg_is_in_recovery() as "standby",
    not pg_is_in_recovery() and current_setting('default_transaction_read_only')::bool as "readOnly",
    current_setting('max_connections')::int as "maxConnections",
    case when rolsuper then 0 else current_setting('superuser_reserved_connections')::int
      + coalesce(current_setting('reserved_connections', true), '0')::int end as "reserved",
    (select count(*)::int from pg_stat_activity where backend_type = 'client backend') as "inUse",
    rolconnlimit as "roleLimit",
    (select datconnlimit from pg_database where datname = current_database()) as "databaseLimit"
  from pg_roles where rolname = current_user`;

async function lackingOf(em: EntityManager, schemas: readonly string[]): Promise<string[]> {
  const sql =
    'select nspname::text as name from pg_namespace where nspname in (select jsonb_array_elements_text(?::jsonb)) and not has_schema_privilege(oid, ?)';
  const rows = await em.execute<{ name: string }[]>(sql, [JSON.stringify(schemas), 'CREATE']);
  return rows.map(({ name }) => name);
}

async function timeoutsOf(em: EntityManager): Promise<Record<string, number>> {
  const names = ['statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout'];
  const sql =
    'select name, setting::int as ms from pg_settings where name in (select jsonb_array_elements_text(?::jsonb))';
  const rows = await em.execute<{ name: string; ms: number }[]>(sql, [JSON.stringify(names)]);
  return Object.fromEntries(names.map(name => [name, rows.find(row => row.name === name)?.ms ?? 0]));
}

async function timesOf(em: EntityManager, clock: Clock): Promise<Pick<ServerFacts, 'latencyMs' | 'skewMs'>> {
  const samples: { latencyMs: number; skewMs: number }[] = [];
  for (let sample = 0; sample < 5; sample += 1) {
    const startedAt = clock.now();
    const serviceMs = clock.date().getTime();
    const [row] = await em.execute<[{ ms: number }]>(
      'select (extract(epoch from clock_timestamp()) * 1000)::float8 as ms',
    );
    const latencyMs = clock.now() - startedAt;
    samples.push({ latencyMs, skewMs: row.ms - serviceMs - latencyMs / 2 });
  }
  const inOrder = samples.toSorted((one, other) => one.latencyMs - other.latencyMs);
  // The quickest answer knows most about the clocks, the middle one about the way.
  return { latencyMs: inOrder[2]?.latencyMs ?? 0, skewMs: inOrder[0]?.skewMs ?? 0 };
}
