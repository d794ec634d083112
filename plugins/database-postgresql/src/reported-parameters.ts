import { misreads, valueFormats } from '@keelson/database';
import type pg from 'pg';
import { asPgClient } from './pg-internals.js';

interface Reported {
  readonly first: Map<string, string>;
  readonly latest: Map<string, string>;
  /** Those that differ from what the server said at the start. */
  readonly changed: Set<string>;
  isReadOnly: boolean;
}

const reported = new WeakMap<pg.ClientBase, Reported>();

/** Keeps what the server says of its settings by itself (ParameterStatus). To be called before `client` connects. */
export function watchParameters(client: pg.ClientBase): void {
  const first = new Map<string, string>();
  const latest = new Map<string, string>();
  const changed = new Set<string>();
  const all: Reported = { first, latest, changed, isReadOnly: false };
  reported.set(client, all);
  asPgClient(client).connection.on('parameterStatus', ({ parameterName: name, parameterValue: value }) => {
    latest.set(name, value);
    all.isReadOnly = latest.get('default_transaction_read_only') === 'on' || latest.get('in_hot_standby') === 'on';
    if (!first.has(name)) first.set(name, value);
    if (first.get(name) === value) changed.delete(name);
    else changed.add(name);
  });
}

/** The server takes no writes now: it is in recovery, or its transactions are read-only (reported since PostgreSQL 14). */
export function isReadOnlyServer(client: pg.ClientBase): boolean {
  return reported.get(client)?.isReadOnly === true;
}

/** The server has said that it takes writes (PostgreSQL 14 and later): a refused one is the fault of its transaction. */
export function isWritableServer(client: pg.ClientBase): boolean {
  const latest = reported.get(client)?.latest;
  return latest?.get('in_hot_standby') === 'off' && latest.get('default_transaction_read_only') === 'off';
}

/** The server replays the log of another. */
export function isStandby(client: pg.ClientBase): boolean {
  return reported.get(client)?.latest.get('in_hot_standby') === 'on';
}

/** The time zone of the session, as the server has last reported it. */
export function timeZoneOf(client: pg.ClientBase): string | undefined {
  return reported.get(client)?.latest.get('TimeZone');
}

/** The settings are as they are to be from now on. */
function takeForFresh(client: pg.ClientBase): void {
  const { first, latest, changed } = reported.get(client) ?? {};
  for (const [name, value] of latest ?? []) first?.set(name, value);
  changed?.clear();
}

/** A setting is not as it was when the connection was fresh. That a standby was promoted is none. */
export function hasOtherParameters(client: pg.ClientBase): boolean {
  const { changed } = reported.get(client) ?? { changed: new Set<string>() };
  return changed.size > (changed.has('in_hot_standby') ? 1 : 0);
}

/** A setting that makes values unreadable, which a statement has changed. Costs nothing while none is changed. */
export function unreadableSetting(client: pg.ClientBase): string | undefined {
  const all = reported.get(client);
  if (all === undefined || all.changed.size === 0) return undefined;
  for (const setting of all.changed) if (misreads(setting, all.latest.get(setting) ?? '')) return setting;
  return undefined;
}

/**
 * A database or a role may have other formats: with `DateStyle` of `SQL, DMY`, the 3rd of February would be read as the 2nd of
 * March. The server reports its formats by itself, so this costs a round trip only where it has others.
 */
export async function readableValues(client: pg.Client): Promise<void> {
  const others = valueFormats.filter(([setting]) => {
    const latest = reported.get(client)?.latest.get(setting);
    return latest !== undefined && misreads(setting, latest);
  });
  if (others.length === 0) return;
  await client.query(others.map(([setting, value]) => `set ${setting} = '${value}'`).join('; '));
  takeForFresh(client);
}
