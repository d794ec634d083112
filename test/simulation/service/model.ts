import type { DatabaseModel } from '@keelson/database';
import { defineEntity, p } from '@mikro-orm/core';

/** What units leave behind: a row for each time that one was done. The table has no other key than its number. */
export const LedgerRow = defineEntity({
  name: 'LedgerRow',
  tableName: 'ledger',
  properties: { id: p.integer().primary(), unit: p.string() },
});

/** Units that store many rows at once leave them here. */
export const PartRow = defineEntity({
  name: 'PartRow',
  tableName: 'part',
  properties: { id: p.string().primary(), unit: p.string() },
});

/** For streams of rows. */
export interface Tables {
  readonly list: { readonly key: string; readonly items: string };
}

export const ledgerModel: DatabaseModel = { entities: [LedgerRow, PartRow] };

/** The tables that every simulated server has, and what makes them on a real one. */
export const tables: Readonly<Record<string, string>> = {
  ledger: 'create table ledger (id serial primary key, unit text not null)',
  list: 'create table list (key text primary key, items text not null)',
  part: 'create table part (id text primary key, unit text not null)',
  thing: 'create table thing (id text primary key, unit text not null)',
};
