import { Migration } from '@mikro-orm/migrations';

/**
 * Gives products a price and orders any number of lines. Each order of before becomes one with a line, at no price.
 *
 * Instances of the version before cannot work after it: they read the columns that it drops, and would give back the stock of one line
 * of an order that has several. They are stopped first (README, "A new version").
 */
export class AddOrderLines extends Migration {
  override up(): void {
    this.addSql(`
      alter table products
        add column unit_price_cents integer not null default 0 check (unit_price_cents between 0 and 100000000)`);
    this.addSql(`
      create table order_lines (
        order_id uuid not null references orders,
        position integer not null check (position between 1 and 100),
        sku text not null references products,
        quantity integer not null check (quantity between 1 and 10000),
        unit_price_cents integer not null check (unit_price_cents between 0 and 100000000),
        primary key (order_id, position)
      )`);
    this.addSql(`
      insert into order_lines (order_id, position, sku, quantity, unit_price_cents)
      select id, 1, sku, quantity, 0 from orders`);
    this.addSql(`
      alter table orders
        drop column sku,
        drop column quantity,
        add column total_cents bigint not null default 0 check (total_cents >= 0)`);
    this.addSql('alter table orders alter column total_cents drop default');
    // Pages of orders are read by id, newest first. These are the pages of one status and of one product.
    this.addSql('create index orders_by_status on orders (status, id)');
    this.addSql('create index order_lines_by_product on order_lines (sku, order_id)');
  }

  /** Is refused while an order has several lines: the old tables have no place for them. */
  override down(): void {
    this.addSql('create unique index order_of_one_line on order_lines (order_id)');
    this.addSql('drop index orders_by_status');
    this.addSql(
      'alter table orders drop column total_cents, add column sku text references products, add column quantity integer',
    );
    this.addSql(`
      update orders set sku = order_lines.sku, quantity = order_lines.quantity
      from order_lines where order_lines.order_id = orders.id`);
    this.addSql(`
      alter table orders
        alter column sku set not null,
        alter column quantity set not null,
        add check (quantity between 1 and 10000)`);
    this.addSql('drop table order_lines');
    this.addSql('alter table products drop column unit_price_cents');
  }
}
