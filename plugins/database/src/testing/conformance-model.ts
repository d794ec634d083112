import { defineEntity, type EventArgs, p, Type } from '@mikro-orm/core';
import { Migration } from '@mikro-orm/migrations';
import type { DatabaseModel } from '../model.js';

export const Account = defineEntity({
  name: 'ConformanceAccount',
  tableName: 'conformance_account',
  properties: {
    id: p.integer().primary(),
    email: p.string(),
    balance: p.integer().default(0),
  },
});

export const Booking = defineEntity({
  name: 'ConformanceBooking',
  tableName: 'conformance_booking',
  properties: {
    id: p.integer().primary(),
    accountId: p.integer(),
    reference: p.string(),
  },
});

const Place = defineEntity({
  name: 'ConformancePlace',
  embeddable: true,
  properties: { city: p.string().nullable(), street: p.string().nullable() },
});

/** Words, stored as one text. */
class WordsType extends Type<string[] | null, string | null> {
  override convertToDatabaseValue(words: string[] | null): string | null {
    return words?.join(' ') ?? null;
  }

  override convertToJSValue(text: string | null): string[] | null {
    return text?.split(' ') ?? null;
  }

  override getColumnType(): string {
    return 'text';
  }
}

/** Has a property of each kind that a flush compares, and hooks that a flush calls. */
export const Note = defineEntity({
  name: 'ConformanceNote',
  tableName: 'conformance_note',
  properties: {
    id: p.integer().primary(),
    text: p.string(),
    rank: p.integer().defaultRaw('7'),
    version: p.integer().version(),
    due: p.datetime().nullable(),
    state: p.enum(['open', 'done']).nullable(),
    words: p.type(WordsType).$type<string[]>().nullable(),
    details: p.json<{ tags: string[] }>().nullable(),
    place: () => p.embedded(Place).nullable(),
    home: () => p.embedded(Place).object().nullable(),
    account: () => p.manyToOne(Account).nullable(),
    readers: () =>
      p
        .manyToMany(Account)
        .pivotTable('conformance_note_readers')
        .joinColumn('note_id')
        .inverseJoinColumn('account_id'),
  },
  hooks: {
    beforeUpdate: [args => noteHooks.beforeUpdate?.(args)],
    afterCreate: [args => noteHooks.afterCreate?.(args)],
    afterUpdate: [args => noteHooks.afterUpdate?.(args)],
  },
});

type NoteHook = (args: EventArgs<unknown>) => void | Promise<void>;

/** What the hooks of `Note` do now. */
export const noteHooks: { beforeUpdate?: NoteHook; afterCreate?: NoteHook; afterUpdate?: NoteHook } = {};

class CreateConformanceTables extends Migration {
  override async up(): Promise<void> {
    this.addSql(`create table conformance_account (
      id serial primary key,
      email text not null,
      balance integer not null default 0,
      constraint conformance_account_email unique (email),
      constraint conformance_account_balance check (balance >= 0))`);
    this.addSql(`create table conformance_booking (
      id serial primary key,
      account_id integer not null,
      reference text not null,
      constraint conformance_booking_account foreign key (account_id) references conformance_account (id),
      constraint conformance_booking_reference unique (reference) deferrable initially deferred)`);
    this.addSql(`create table conformance_note (
      id serial primary key,
      text text not null,
      rank integer not null default 7,
      version integer not null default 1,
      due timestamptz,
      state text,
      words text,
      details jsonb,
      place_city text,
      place_street text,
      home jsonb,
      account_id integer references conformance_account (id))`);
    this.addSql(`create table conformance_note_readers (
      note_id integer not null references conformance_note (id),
      account_id integer not null references conformance_account (id),
      primary key (note_id, account_id))`);
  }

  override async down(): Promise<void> {
    this.addSql('drop table conformance_note_readers, conformance_note, conformance_booking, conformance_account');
  }
}

/** The tables that the conformance suite works on: what every service of a harness must have been made with. */
export const conformanceModel: DatabaseModel = {
  entities: [Account, Booking, Note],
  migrations: { CreateConformanceTables },
};
