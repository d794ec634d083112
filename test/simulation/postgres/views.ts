import type { Backend } from './backend.ts';
import { limitNames } from './limits.ts';
import { shownSetting } from './set.ts';
import { typeNumbers } from './wire.ts';
import { Unreadable } from './words.ts';

export type Row = Readonly<Record<string, string | null>>;

/** What a selection can be from: a view of the server, or what a function gives. */
export interface View {
  /** Their types, by their names. */
  readonly columns: Readonly<Record<string, number>>;
  /** One after the other: each is made when it is asked for. */
  readonly rows: (on: Backend, given: readonly (string | null)[]) => Iterable<Row>;
}

const { text, name, oid, bool, int4 } = typeNumbers;
/** The key of an advisory lock has 64 bits, of which this column has 32. */
function lowerHalf(key: string): string {
  return String(BigInt.asUintN(32, BigInt(key)));
}

/** A server has one database. */
const databaseOid = '16384';

const views: Readonly<Record<string, View>> = {
  pg_settings: {
    columns: { name: text, setting: text, reset_val: text },
    *rows(on) {
      for (const setting of on.settings) {
        const isLimit = limitNames.some(limit => limit === setting.name);
        const shown = isLimit ? setting.value : shownSetting(on, setting.name);
        yield { name: setting.name, setting: shown ?? '', reset_val: setting.initially };
      }
    },
  },
  pg_locks: {
    columns: { locktype: text, database: oid, objid: oid, pid: int4, granted: bool },
    *rows(on) {
      const { backends, store } = on.server;
      for (const backend of backends.values())
        for (const key of store.locks.heldBy(backend, 'advisory '))
          yield {
            locktype: 'advisory',
            database: databaseOid,
            objid: lowerHalf(key),
            pid: String(backend.pid),
            granted: 't',
          };
    },
  },
  pg_database: {
    columns: { oid, datname: name },
    *rows(on) {
      yield { oid: databaseOid, datname: on.database };
    },
  },
  pg_class: {
    columns: { relname: name },
    *rows(on) {
      for (const relname of on.server.store.tableNames()) yield { relname };
      for (const { objects } of on.server.backends.values()) yield* objects.tables.rows('relname');
    },
  },
  pg_prepared_statements: {
    columns: { name: text },
    *rows(on) {
      for (const each of on.preparedNames) yield { name: each };
    },
  },
  pg_cursors: { columns: { name: text }, rows: on => on.objects.cursors.rows('name') },
};

const functions: Readonly<Record<string, Omit<View, 'columns'> & { readonly type: number; readonly takes: number }>> = {
  pg_listening_channels: {
    type: text,
    takes: 0,
    *rows(on) {
      for (const channel of on.channels.listening) yield { of: channel };
    },
  },
  generate_series: {
    type: int4,
    takes: 2,
    *rows(_, [from = null, to = null]) {
      if (from === null || to === null) return;
      for (let at = Number(from); at <= Number(to); at++) yield { of: String(at) };
    },
  },
};

/** A function gives one column, which has the name of the alias. @throws Unreadable */
export function viewOf(source: string, given: number, alias: string): View {
  const view = views[source];
  if (view !== undefined && given === 0) return view;
  const known = functions[source];
  if (known === undefined || known.takes !== given) throw new Unreadable();
  return {
    columns: { [alias]: known.type },
    *rows(on, values) {
      for (const { of = null } of known.rows(on, values)) yield { [alias]: of };
    },
  };
}
