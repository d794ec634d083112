import { Migration } from '@mikro-orm/migrations';

export class CreateProducts extends Migration {
  override up(): void {
    this.addSql(`
      create table products (
        sku text primary key,
        stock integer not null check (stock >= 0)
      )`);
  }

  override down(): void {
    this.addSql('drop table products');
  }
}
