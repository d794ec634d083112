import type { DatabaseModel } from '@keelson/database';
import { defineEntity, p } from '@mikro-orm/core';
import { Migration } from '@mikro-orm/migrations';

export const Event = defineEntity({
  name: 'Event',
  tableName: 'event',
  properties: {
    id: p.integer().primary(),
    kind: p.string(),
    at: p.datetime(),
    amount: p.integer(),
    note: p.text().nullable(),
    details: p.json<{ source: string; tries: number }>(),
  },
});

class CreateEvents extends Migration {
  override async up(): Promise<void> {
    this.addSql(`create table event (id serial primary key, kind text not null, at timestamptz not null,
      amount integer not null, note text, details jsonb not null)`);
  }
}

export const eventModel: DatabaseModel = { entities: [Event], migrations: [CreateEvents] };

export function eventRows(count: number) {
  return Array.from({ length: count }, (_, index) => ({
    kind: `kind ${index % 7}`,
    at: new Date(1_800_000_000_000 + index),
    amount: index,
    note: index % 3 === 0 ? null : `a note of event ${index}`,
    details: { source: 'import', tries: index % 5 },
  }));
}
