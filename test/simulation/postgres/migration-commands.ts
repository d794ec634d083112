import type { AdvisoryOf } from './advisory.ts';
import { type CatalogQuestion, readCatalogQuestion } from './catalog-questions.ts';
import { type ColumnType, typeNamed } from './column-types.ts';
import type { Slot } from './commands.ts';
import { isLockMode, type LockMode } from './lock-table.ts';
import { type Ddl, type Named, readDdl } from './read-ddl.ts';

/** The transaction with this id, or the one in which `keelson.migration` is set to this. */
export interface TransactionCondition {
  readonly of: 'id' | 'setting';
  readonly is: Slot;
}

/** What migrations need beyond the rows of tables. */
export type MigrationCommand =
  | { readonly is: 'ddl'; readonly ddl: Ddl }
  | { readonly is: 'catalog'; readonly about: CatalogQuestion; readonly tables: readonly string[] }
  | { readonly is: 'vacuum' }
  | { readonly is: 'lock table'; readonly table: Named; readonly mode: LockMode }
  | {
      readonly is: 'advisory';
      readonly does: 'try' | 'wait' | 'unlock';
      readonly lock: AdvisoryOf<Slot>;
      readonly column: string;
    }
  /** A try, only on the backend that is meant. */
  | { readonly is: 'mark'; readonly pid: Slot; readonly lock: AdvisoryOf<Slot>; readonly column: string }
  | { readonly is: 'lock is seen'; readonly high: string; readonly low: string }
  | { readonly is: 'relation is there'; readonly name: Slot; readonly what: 'table' | 'schema' }
  | { readonly is: 'id of transaction' }
  | { readonly is: 'status of id'; readonly id: Slot }
  /** Null: what it was without SET. */
  | { readonly is: 'set limit'; readonly name: string; readonly value: string | null; readonly isLocal: boolean }
  | { readonly is: 'applied migrations'; readonly table: Named }
  /** `inTransaction`: only there. */
  | {
      readonly is: 'note migration';
      readonly table: Named;
      readonly name: Slot;
      readonly inTransaction: TransactionCondition | undefined;
    }
  | {
      readonly is: 'forget migration';
      readonly table: Named;
      readonly name: Slot;
      readonly inTransaction: TransactionCondition | undefined;
    }
  /** An array of texts as it is, and one of bytes in hexadecimal digits. */
  | { readonly is: 'read arrays'; readonly table: Named; readonly texts: string; readonly bytes: string }
  /** A text, read as each of the types in turn; with `equals`, a row only when it is that number. */
  | {
      readonly is: 'cast';
      readonly given: Slot;
      readonly types: readonly ColumnType[];
      readonly equals: string | undefined;
    };

type Reader = (...found: readonly string[]) => MigrationCommand | undefined;

const slot = String.raw`(\$\d+|'(?:[^']|'')*')`;
const table = '"(\\w+)"\\."(\\w+)"';
const isSame = `(true|pg_current_xact_id\\(\\)::text = \\$2|current_setting\\('keelson\\.migration', true\\) = \\$2)`;
const named = (schema = '', name = ''): Named => ({ schema, name, isQualified: true });

function conditionIn(text = ''): TransactionCondition | undefined {
  if (text === 'true') return undefined;
  return { of: text.startsWith('current_setting') ? 'setting' : 'id', is: { parameter: 1 } };
}

const shapes: readonly (readonly [pattern: RegExp, read: Reader])[] = [
  [
    /^select pg_(try_)?advisory_(xact_)?lock(_shared)?\((-?\d+|\$\d)\)(?: as (\w+))?$/,
    (tries, ofTransaction, shared, key = '', as) => {
      const isShared = shared !== undefined;
      return {
        is: 'advisory',
        does: tries === undefined ? 'wait' : 'try',
        lock: { key: keyOf(key), isShared, isOfSession: ofTransaction === undefined },
        column: as ?? `pg_${tries ?? ''}advisory_${ofTransaction ?? ''}lock${shared ?? ''}`,
      };
    },
  ],
  [
    /^select pg_advisory_unlock(_shared)?\((-?\d+|\$\d)\)$/,
    (shared, key = '') => ({
      is: 'advisory',
      does: 'unlock',
      lock: { key: keyOf(key), isShared: shared !== undefined, isOfSession: true },
      column: `pg_advisory_unlock${shared ?? ''}`,
    }),
  ],
  [
    /^select case when pg_backend_pid\(\) = (\$\d)::int then pg_try_advisory_lock\((-?\d+)\) else false end as (\w+)$/,
    (pid = '', key = '', column = '') => ({
      is: 'mark',
      pid: slotOf(pid),
      lock: { key: keyOf(key), isShared: false, isOfSession: true },
      column,
    }),
  ],
  [
    /^select exists \(select from pg_locks where locktype = 'advisory' and classid = (\d+) and objid = (\d+) and objsubid = 1 and database = \(select oid from pg_database where datname = current_database\(\)\)\) as seen$/,
    (high = '', low = '') => ({ is: 'lock is seen', high, low }),
  ],
  [
    new RegExp(`^select to_reg(class|namespace)\\(${slot}\\) is not null as found$`),
    (what, name = '') => ({ is: 'relation is there', name: slotOf(name), what: what === 'class' ? 'table' : 'schema' }),
  ],
  [/^select pg_current_xact_id\(\)::text as id$/, () => ({ is: 'id of transaction' })],
  [
    new RegExp(`^select pg_xact_status\\(${slot}::text::xid8\\) as status$`),
    (id = '') => ({ is: 'status of id', id: slotOf(id) }),
  ],
  [
    /^select set_config\(name, (?:'(\d+)'|reset_val), (true|false)\) from pg_settings where name = '(transaction_timeout|idle_session_timeout)'$/,
    (value, isLocal, name = '') => ({ is: 'set limit', name, value: value ?? null, isLocal: isLocal === 'true' }),
  ],
  [
    new RegExp(
      `^select name, \\(extract\\(epoch from executed_at\\) \\* 1000\\)::float8 as at from ${table} order by id$`,
    ),
    (schema, name) => ({ is: 'applied migrations', table: named(schema, name) }),
  ],
  [
    new RegExp(`^insert into ${table} \\(name\\) select \\$1::varchar where ${isSame} returning id$`),
    (schema, name, same) => ({
      is: 'note migration',
      table: named(schema, name),
      name: { parameter: 0 },
      inTransaction: conditionIn(same),
    }),
  ],
  [
    new RegExp(
      `^delete from ${table} where name in \\(\\$1::varchar, \\$1 \\|\\| '\\.js', \\$1 \\|\\| '\\.ts'\\) and ${isSame} returning id$`,
    ),
    (schema, name, same) => ({
      is: 'forget migration',
      table: named(schema, name),
      name: { parameter: 0 },
      inTransaction: conditionIn(same),
    }),
  ],
  [
    /^select (\w+), \(select array_agg\(encode\(b, 'hex'\) order by n\) from unnest\((\w+)\) with ordinality u\(b, n\)\) as \2 from (\w+)$/,
    (texts = '', bytes = '', name = '') => ({ is: 'read arrays', table: { schema: 'public', name }, texts, bytes }),
  ],
  [new RegExp(`^select ${slot}((?:::\\w+(?:\\[\\])?)*)$`), (given = '', types = '') => castOf(given, types, undefined)],
  [
    new RegExp(`^select 1 where (\\d+) = ${slot}((?:::\\w+)+)$`),
    (equals, given = '', types = '') => castOf(given, types, equals),
  ],
  [
    /^lock table (\w+) in ([a-z ]+) mode$/,
    (name = '', mode = '') =>
      isLockMode(mode) ? { is: 'lock table', table: { schema: 'public', name }, mode } : undefined,
  ],
  [/^vacuum$/, () => ({ is: 'vacuum' })],
];

function keyOf(text: string): Slot {
  return text.startsWith('$') ? slotOf(text) : { literal: text };
}

function slotOf(text: string): Slot {
  if (text.startsWith('$')) return { parameter: Number(text.slice(1)) - 1 };
  return { literal: text.slice(1, -1).replaceAll("''", "'") };
}

/** Undefined when one of the types is not known. */
function castOf(given: string, types: string, equals: string | undefined): MigrationCommand | undefined {
  const read = types.split('::').slice(1).map(typeOf);
  if (read.includes(undefined)) return undefined;
  return { is: 'cast', given: slotOf(given), types: read.filter(type => type !== undefined), equals };
}

function typeOf(title: string): ColumnType | undefined {
  const name = typeNamed(title.replace('[]', ''));
  return name === undefined ? undefined : { name, ...(title.endsWith('[]') && { isArray: true }) };
}

/** Undefined for a statement that is not one of these. */
export function readMigration(sql: string): MigrationCommand | undefined {
  const ddl = readDdl(sql);
  if (ddl !== undefined) return { is: 'ddl', ddl };
  const question = readCatalogQuestion(sql);
  if (question !== undefined) return { is: 'catalog', ...question };
  for (const [pattern, read] of shapes) {
    const found = pattern.exec(sql);
    if (found !== null) return read(...found.slice(1));
  }
  return undefined;
}

/** The words by which they are known from others. */
const words: Readonly<Record<MigrationCommand['is'], true>> = {
  ddl: true,
  catalog: true,
  vacuum: true,
  'lock table': true,
  advisory: true,
  mark: true,
  'lock is seen': true,
  'relation is there': true,
  'id of transaction': true,
  'status of id': true,
  'set limit': true,
  'applied migrations': true,
  'note migration': true,
  'forget migration': true,
  'read arrays': true,
  cast: true,
};

export function isOfMigrations(command: { readonly is: string }): command is MigrationCommand {
  return Object.hasOwn(words, command.is);
}
