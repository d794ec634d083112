import { Migration } from '@mikro-orm/migrations';

export class CreateNotes extends Migration {
  override up(): void {
    this.addSql(`
      create table notes (
        id uuid primary key,
        title text not null,
        text text not null,
        created_at timestamptz not null
      )`);
    this.addSql('create index notes_created_at_id_index on notes (created_at, id)');
  }

  override down(): void {
    this.addSql('drop table notes');
  }
}
