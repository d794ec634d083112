import { Migration } from '@mikro-orm/migrations';

/** Gives orders the states of their payment, and the time when it is looked at next. Orders of before are not charged. */
export class AddPayments extends Migration {
  override up(): void {
    this.addSql(`
      alter table orders
        drop constraint orders_status_check,
        add constraint orders_status_check
          check (status in ('placed', 'payment-unknown', 'paid', 'declined', 'cancelled')),
        add column payment_due_at timestamptz,
        add column payment_attempts integer not null default 0`);
    // Small: only orders whose payment is not settled are in it.
    this.addSql('create index orders_payment_due on orders (payment_due_at) where payment_due_at is not null');
  }

  /** Is refused while an order has a state that the table did not have before. */
  override down(): void {
    this.addSql(`
      alter table orders
        drop constraint orders_status_check,
        add constraint orders_status_check check (status in ('placed', 'cancelled')),
        drop column payment_due_at,
        drop column payment_attempts`);
  }
}
