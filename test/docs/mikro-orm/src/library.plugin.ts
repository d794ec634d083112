import { definePlugin } from '@keelson/core';
import { DatabaseModel, DatabaseService } from '@keelson/database';
import { UnderscoreNamingStrategy } from '@mikro-orm/core';
import { Migration } from '@mikro-orm/migrations';
import { Author } from './author.js';

class CreateAuthors extends Migration {
  override up(): void {
    this.addSql('create table authors (id serial primary key, name text not null)');
  }
}

export default definePlugin({
  name: 'library',
  requires: [DatabaseService],
  register({ bind }) {
    bind(DatabaseModel).toConstantValue({
      entities: [Author],
      migrations: [CreateAuthors],
      orm: {
        namingStrategy: UnderscoreNamingStrategy,
        filters: { present: { cond: { deletedAt: null }, entity: ['Book'], default: true } },
        subscribers: [{ afterCreate: ({ meta }) => console.log(`${meta.className} was created`) }],
        onQuery: sql => `${sql} /* library */`,
      },
    });
  },
});
