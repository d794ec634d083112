import { Migration } from '@mikro-orm/migrations';

export class CreateOrders extends Migration {
  override up(): void {
    this.addSql(`
      create table orders (
        id uuid primary key,
        sku text not null references products,
        quantity integer not null check (quantity between 1 and 10000),
        status text not null check (status in ('placed', 'cancelled')),
        created_at timestamptz not null
      )`);
  }

  override down(): void {
    this.addSql('drop table orders');
  }
}
