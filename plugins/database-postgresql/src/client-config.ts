import pg from 'pg';
import { limitNames } from './engine/probes.js';
import type { Host } from './host.js';
import type { HostList } from './host-list.js';
import type { PostgresqlOptions } from './options.js';
import { typeParsers } from './type-parsers.js';

/** By the name of the setting. */
export type StartLimits = Readonly<Partial<Record<(typeof limitNames)[number], number>>>;

/** A limit in the url wins over that of the configuration. */
export function startLimitsOf(url: string, options: PostgresqlOptions): StartLimits {
  const ofOptions = limitsOf(options);
  return Object.fromEntries(
    limitNames.filter(name => !new RegExp(`[?&]${name}=`).test(url)).map(name => [name, ofOptions[name]]),
  );
}

function limitsOf(options: PostgresqlOptions) {
  return {
    statement_timeout: options.statementTimeoutMs,
    lock_timeout: options.lockTimeoutMs,
    idle_in_transaction_session_timeout: options.idleInTransactionTimeoutMs,
  } satisfies pg.ClientConfig;
}

/** What is not in the url comes from pg's own defaults and the variables of libpq (`PGHOST`). */
export function hostOf(url: string): Host {
  const { host, port } = new pg.Client(url);
  return { host, port };
}

/** With what a connection to one of `servers` is opened, before a host and a login are chosen. */
export function clientConfig(
  servers: HostList,
  options: PostgresqlOptions,
  pool: PostgresqlOptions['pool'],
): pg.ClientConfig {
  return {
    connectionString: servers.urls[0] ?? '',
    application_name: options.applicationName,
    ...limitsOf(options),
    keepAlive: true,
    keepAliveInitialDelayMillis: options.keepAliveMs,
    types: typeParsers(),
    connectionTimeoutMillis: connectTimeoutMs(servers, options, pool),
  };
}

/** With others to turn to, a caller must have time left when one host has not answered. */
function connectTimeoutMs(
  servers: HostList,
  { connectTimeoutMs }: PostgresqlOptions,
  { acquireTimeoutMs }: PostgresqlOptions['pool'],
): number {
  const longestMs = servers.urls.length > 1 ? acquireTimeoutMs / 2 : connectTimeoutMs;
  return Math.ceil(Math.min(connectTimeoutMs, longestMs));
}
