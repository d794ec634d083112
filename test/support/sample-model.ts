import type { DatabaseModel } from '@keelson/database';
import { defineEntity, p } from '@mikro-orm/core';
import { Migration } from '@mikro-orm/migrations';

/** A small model that the tests of database drivers share. */
export const Author = defineEntity({
  name: 'Author',
  tableName: 'author',
  properties: {
    id: p.integer().primary(),
    email: p.string().unique(),
    name: p.string().nullable(),
  },
});

export class CreateAuthors extends Migration {
  override async up(): Promise<void> {
    this.addSql(
      'create table author (id serial primary key, email text not null, name text, constraint author_email_unique unique (email))',
    );
  }

  override async down(): Promise<void> {
    this.addSql('drop table author');
  }
}

export const sampleModel = { entities: [Author], migrations: [CreateAuthors] } satisfies DatabaseModel;
