import { type Clock, type Diagnosis, type HealthResult, isKeelsonError } from '@keelson/core';
import { aboutEngine } from './about-engine.js';
import type { DatabaseService } from './database-service.js';
import type { HostStats } from './driver/driver.js';
import { qualified } from './migrations/migration-table.js';
import type { CommonDatabaseOptions } from './options.js';
import { aboutTokens } from './proof/about-tokens.js';
import { askServer, type ServerFacts } from './server-facts.js';

export interface DiagnoseRequest {
  /** Connected. */
  readonly database: DatabaseService;
  readonly options: CommonDatabaseOptions;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** Findings of `keelson doctor` on a database. Reads only; a check that cannot run is a finding as well. */
export async function diagnoseDatabase({
  database,
  options,
  clock,
  signal,
}: DiagnoseRequest): Promise<readonly Diagnosis[]> {
  const [schema] = qualified(options.migrations.tableName);
  const status = await attempt(() => database.migrations());
  const hasMigrations = !('value' in status) || status.value.applied.length + status.value.pending.length > 0;
  const server = await attempt(() => askServer({ database, clock, signal, schemas: [schema] }));
  const health = await database.health(signal);
  const asked =
    'value' in server
      ? aboutServer(server.value, { database, hasMigrations, poolMax: poolMaxOf(health, database) })
      : [notAsked('server', server)];
  const tokens = await attempt(() => aboutTokens(database, options, signal));
  const pending = 'value' in status && status.value.pending.length > 0;
  return [
    ...asked,
    aboutEngine(database.engine),
    aboutHealth(health),
    'value' in status ? aboutMigrations(status.value, options.migrations.atStart) : notAsked('migrations', status),
    await aboutSchema(database, pending),
    ...('value' in tokens ? [tokens.value ?? []].flat() : [notAsked('commit tokens', tokens)]),
  ];
}

interface Service {
  readonly database: DatabaseService;
  readonly hasMigrations: boolean;
  readonly poolMax: number;
}

function aboutServer(facts: ServerFacts, { database, hasMigrations, poolMax }: Service): Diagnosis[] {
  const everywhere = [
    aboutVersion(facts, database.address),
    aboutLatency(facts),
    aboutPrivileges(facts, hasMigrations),
  ];
  // An embedded database shares its clock with the service, and has a single connection.
  if (!database.capabilities.has('multi-connection')) return everywhere;
  return [
    ...everywhere,
    aboutClocks(facts),
    aboutRole(facts),
    aboutTimeouts(facts),
    aboutConnections(facts, poolMax),
    aboutWrites(facts),
  ];
}

function aboutVersion({ version, versionNumber }: ServerFacts, address: string | undefined): Diagnosis {
  const output = `PostgreSQL ${version}${address === undefined ? '' : ` at ${address}`}.`;
  if (versionNumber >= 140_000) return pass('version', output);
  const hint = 'Upgrade the server: Keelson supports PostgreSQL 14 and later, and uses functions that 13 introduced.';
  return { name: 'version', status: versionNumber >= 130_000 ? 'warn' : 'fail', output, hint };
}

function aboutLatency({ latencyMs }: ServerFacts): Diagnosis {
  const output = `A round trip takes ${rounded(latencyMs)} ms.`;
  if (latencyMs < 20) return pass('latency', output);
  return warn('latency', output, 'Every statement waits that long: run the service near its database.');
}

function aboutPrivileges({ role, schema, lacking }: ServerFacts, hasMigrations: boolean): Diagnosis {
  if (schema === undefined) {
    const output = `Role ${role} can use no schema of its search_path: none exists, or the role lacks the privilege USAGE.`;
    return fail('privileges', output, `Run as the owner of the schema: GRANT USAGE ON SCHEMA public TO ${role}.`);
  }
  if (lacking.length === 0) return pass('privileges', `Role ${role} may connect and create in schema ${schema}.`);
  const output = `Role ${role} may connect, and may not create in schema ${lacking.join(' and ')}.`;
  if (!hasMigrations) return pass('privileges', output);
  return warn(
    'privileges',
    output,
    `Migrations need it: GRANT CREATE ON SCHEMA ${lacking.join(', ')} TO ${role}, or migrate as another role.`,
  );
}

function aboutClocks({ skewMs, latencyMs }: ServerFacts): Diagnosis {
  const apart = Math.abs(skewMs);
  const output =
    apart <= latencyMs
      ? `The clocks of service and server agree within ${rounded(latencyMs)} ms, the time of a round trip.`
      : `The server is ${rounded(apart)} ms ${skewMs > 0 ? 'ahead of' : 'behind'} the service.`;
  if (apart < 1_000) return pass('clock skew', output);
  const hint = 'Synchronise both with NTP: times written by one are compared with times of the other.';
  return { name: 'clock skew', status: apart < 60_000 ? 'warn' : 'fail', output, hint };
}

function aboutRole({ role, superuser }: ServerFacts): Diagnosis {
  if (!superuser) return pass('role', `Role ${role} is not a superuser.`);
  const hint = 'Give the service a separate role: a superuser passes every check, and uses the reserved connections.';
  return warn('role', `Role ${role} is a superuser.`, hint);
}

function aboutTimeouts({ timeoutsMs }: ServerFacts): Diagnosis {
  const known = Object.entries(timeoutsMs);
  const output = `${known.map(([name, ms]) => `${name}: ${ms === 0 ? 'none' : `${ms} ms`}`).join(', ')}.`;
  const missing = known.filter(([, ms]) => ms === 0).map(([name]) => name);
  if (missing.length === 0) return pass('timeouts', output);
  return warn(
    'timeouts',
    output,
    `Set ${missing.join(', ')}: without this limit, one stuck session may hold its locks for ever.`,
  );
}

function aboutConnections({ room, maxConnections, inUse }: ServerFacts, poolMax: number): Diagnosis {
  // The pool, and one for questions that must not wait behind it.
  const each = poolMax + 1;
  const instances = Math.floor(room / each);
  const output = `${instances} ${instances === 1 ? 'instance' : 'instances'} of this service fit: each takes up to ${each} of the ${room} connections that its role may use (max_connections ${maxConnections}, ${inUse} in use).`;
  if (instances >= 2) return pass('connections', output);
  const hint = 'Lower pool.max or raise max_connections: a deployment runs the old and the new instances side by side.';
  return { name: 'connections', status: instances === 0 ? 'fail' : 'warn', output, hint };
}

function aboutWrites({ standby, readOnly }: ServerFacts): Diagnosis {
  if (standby) {
    const hint = 'Name the primary in url, or all hosts: then connections go to the server that accepts writes.';
    return fail('writes', 'The server is a standby and refuses writes.', hint);
  }
  if (!readOnly) return pass('writes', 'The server is not a standby and accepts writes.');
  const hint = 'ALTER DATABASE or ALTER ROLE ... RESET default_transaction_read_only.';
  return fail('writes', 'default_transaction_read_only is on: writes are refused.', hint);
}

function aboutHealth({ status, output }: HealthResult): Diagnosis {
  if (status === 'pass') return pass('health', 'The database answers its health check.');
  return {
    name: 'health',
    status,
    output: output ?? 'The database is not healthy.',
    hint: 'Check the servers of url and replicas.',
  };
}

function aboutMigrations(
  { applied, pending, unknown }: Awaited<ReturnType<DatabaseService['migrations']>>,
  atStart: boolean,
): Diagnosis {
  if (unknown.length > 0) {
    const output = `Applied, but not part of this version: ${unknown.join(', ')}.`;
    return warn(
      'migrations',
      output,
      'Build the service again if src has this migration. Otherwise a newer version has migrated; check that this one works with its tables.',
    );
  }
  if (pending.length === 0) {
    return pass('migrations', applied.length === 0 ? 'There are none.' : `All ${applied.length} are applied.`);
  }
  const output = `Not applied: ${pending.join(', ')}.`;
  if (atStart) return pass('migrations', `${output} The next start applies them.`);
  return warn('migrations', output, 'Run keelson migrate before this version takes requests.');
}

async function aboutSchema(database: DatabaseService, pending: boolean): Promise<Diagnosis> {
  const report = await attempt(() => database.validateSchema());
  if (!('value' in report)) return notAsked('schema', report);
  const failures = report.value.differences.filter(({ severity }) => severity === 'failure');
  if (failures.length === 0) return pass('schema', 'The tables match the entities.');
  const shown = failures.slice(0, shownDifferences).map(({ message }) => message);
  const more = failures.length - shown.length;
  const output = more > 0 ? `${shown.join(' ')} And ${more} more.` : shown.join(' ');
  if (pending) return warn('schema', output, 'Run keelson migrate, then run keelson doctor again.');
  return fail('schema', output, 'Write the migration that is missing: keelson migrate create drafts it.');
}

const shownDifferences = 5;

/** Of the server that takes writes; replicas have pools, and limits, of their own. */
function poolMaxOf({ facts }: HealthResult, database: DatabaseService): number {
  const hosts = (facts?.hosts ?? []) as readonly HostStats[];
  return hosts.find(({ role }) => role === 'primary')?.pool.max ?? database.stats().max;
}

type Attempt<T> = { readonly value: T } | { readonly error: unknown };

async function attempt<T>(work: () => Promise<T>): Promise<Attempt<T>> {
  try {
    return { value: await work() };
  } catch (error) {
    return { error };
  }
}

/** The text of an error that is not ours may hold SQL or values. */
function notAsked(name: string, { error }: { readonly error: unknown }): Diagnosis {
  const reason = isKeelsonError(error) ? `${error.code}: ${error.message}` : 'The check failed.';
  const hint = isKeelsonError(error) && error.hint ? error.hint : 'Run keelson doctor again, and check the server.';
  return fail(name, reason, hint);
}

function pass(name: string, output: string): Diagnosis {
  return { name, status: 'pass', output };
}

function warn(name: string, output: string, hint: string): Diagnosis {
  return { name, status: 'warn', output, hint };
}

function fail(name: string, output: string, hint: string): Diagnosis {
  return { name, status: 'fail', output, hint };
}

function rounded(ms: number): string {
  return ms < 10 ? ms.toFixed(1) : ms.toFixed(0);
}
