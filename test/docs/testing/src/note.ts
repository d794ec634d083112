import { defineEntity, type InferEntity, p } from '@mikro-orm/core';
import { Migration } from '@mikro-orm/migrations';

export const Note = defineEntity({
  name: 'Note',
  tableName: 'notes',
  properties: { id: p.integer().primary().autoincrement(), text: p.text() },
});

export type Note = InferEntity<typeof Note>;

export class CreateNotes extends Migration {
  override up(): void {
    this.addSql('create table notes (id serial primary key, text text not null)');
  }
}
