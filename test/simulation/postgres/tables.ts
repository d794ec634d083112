import type { TypeName } from './values.ts';

export interface ColumnDefinition {
  readonly type: TypeName;
  readonly isRequired?: true;
  /** What a row gets that names no value; `next` counts up. */
  readonly initially?: string;
}

export interface Unique {
  readonly name: string;
  readonly column: string;
  /** Checked at COMMIT. */
  readonly isDeferred?: true;
}

/** A column has the key of a row of another table. */
export interface ForeignKey {
  readonly name: string;
  readonly column: string;
  readonly references: string;
}

export interface TableDefinition {
  readonly name: string;
  readonly columns: Readonly<Record<string, ColumnDefinition>>;
  readonly primaryKey: readonly string[];
  readonly unique: readonly Unique[];
  readonly notNegative: readonly { readonly name: string; readonly column: string }[];
  readonly foreignKeys: readonly ForeignKey[];
}

const id: ColumnDefinition = { type: 'int4', isRequired: true, initially: 'next' };
const account: ColumnDefinition = { type: 'int4', isRequired: true };
const nullableText: ColumnDefinition = { type: 'text' };
const text: ColumnDefinition = { type: 'text', isRequired: true };
const number = (initially: string): ColumnDefinition => ({ type: 'int4', isRequired: true, initially });

/** A table of the workloads, and those of the conformance suite (conformance-model.ts). */
const definitions: readonly TableDefinition[] = [
  {
    name: 'part',
    columns: { id: text, unit: text },
    primaryKey: ['id'],
    unique: [],
    notNegative: [],
    foreignKeys: [],
  },
  {
    name: 'conformance_account',
    columns: { id, email: text, balance: number('0') },
    primaryKey: ['id'],
    unique: [{ name: 'conformance_account_email', column: 'email' }],
    notNegative: [{ name: 'conformance_account_balance', column: 'balance' }],
    foreignKeys: [],
  },
  {
    name: 'conformance_booking',
    columns: { id, account_id: account, reference: text },
    primaryKey: ['id'],
    unique: [{ name: 'conformance_booking_reference', column: 'reference', isDeferred: true }],
    notNegative: [],
    foreignKeys: [{ name: 'conformance_booking_account', column: 'account_id', references: 'conformance_account' }],
  },
  {
    name: 'conformance_note',
    columns: {
      id,
      text,
      rank: number('7'),
      version: number('1'),
      due: { type: 'timestamptz' },
      state: nullableText,
      words: nullableText,
      details: { type: 'jsonb' },
      place_city: nullableText,
      place_street: nullableText,
      home: { type: 'jsonb' },
      account_id: { type: 'int4' },
    },
    primaryKey: ['id'],
    unique: [],
    notNegative: [],
    foreignKeys: [
      { name: 'conformance_note_account_id_fkey', column: 'account_id', references: 'conformance_account' },
    ],
  },
  {
    name: 'conformance_note_readers',
    columns: { note_id: account, account_id: account },
    primaryKey: ['note_id', 'account_id'],
    unique: [],
    notNegative: [],
    foreignKeys: [
      { name: 'conformance_note_readers_note_id_fkey', column: 'note_id', references: 'conformance_note' },
      { name: 'conformance_note_readers_account_id_fkey', column: 'account_id', references: 'conformance_account' },
    ],
  },
];

const byName: ReadonlyMap<string, TableDefinition> = new Map(definitions.map(table => [table.name, table]));

/** Undefined for a table of which the simulation knows no columns. */
export function definitionOf(table: string): TableDefinition | undefined {
  return byName.get(table);
}

/** The foreign keys of all tables that refer to this one. */
export function referencesTo(table: string): readonly (readonly [from: TableDefinition, key: ForeignKey])[] {
  return definitions.flatMap(from =>
    from.foreignKeys.filter(({ references }) => references === table).map(key => [from, key] as const),
  );
}

/** A table of the values of a column, each with the key of its row. */
export function indexOf(table: string, column: string): string {
  return `${table}.${column}`;
}

/** What a server must have been made with to run statements about the tables. */
export const rowTables: readonly string[] = definitions.flatMap(({ name, unique }) => [
  name,
  ...unique.filter(({ isDeferred }) => isDeferred !== true).map(({ column }) => indexOf(name, column)),
]);
