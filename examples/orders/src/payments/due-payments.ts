import type { DatabaseService } from '@keelson/database';
import { LockMode } from '@mikro-orm/core';
import { Order } from '../orders/order.js';
import { returnStock } from '../products/stock.js';
import type { PaymentAnswer } from './payment-service.js';

export interface DuePayment {
  readonly orderId: string;
  readonly amountCents: number;
  /** How often the payment service was asked, this time included. */
  readonly attempt: number;
}

/**
 * Each row goes to one instance: rows that another one takes at this moment are passed over, and a taken row is not due
 * before its lease is over. An instance that dies leaves its rows to the others.
 */
const take = `
  update orders
  set status = 'payment-unknown', payment_attempts = payment_attempts + 1, payment_due_at = ?
  where id in (
    select id from orders where payment_due_at <= ? order by payment_due_at limit ? for update skip locked
  )
  returning id, total_cents, payment_attempts`;

interface TakenRow {
  readonly id: string;
  readonly total_cents: number | string;
  readonly payment_attempts: number;
}

/** The payments that are to be settled, as the database has them. Each method is a short transaction of its own. */
export class DuePayments {
  readonly #database: DatabaseService;

  constructor(database: DatabaseService) {
    this.#database = database;
  }

  /** Takes up to `limit` payments that are due at `now`; they are due again at `leaseEnd`. */
  take(now: Date, leaseEnd: Date, limit: number): Promise<readonly DuePayment[]> {
    return this.#database.session(
      async em => {
        const rows = await em.execute<TakenRow[]>(take, [leaseEnd, now, limit]);
        return rows.map(row => ({
          orderId: row.id,
          amountCents: Number(row.total_cents),
          attempt: row.payment_attempts,
        }));
      },
      { name: 'orders.take-payments' },
    );
  }

  /** Stores the answer, unless it is stored already. A declined order gives its stock back. */
  async settle(orderId: string, status: PaymentAnswer): Promise<void> {
    await this.#database.session(
      async em => {
        const order = await em.findOne(Order, { id: orderId }, { lockMode: LockMode.PESSIMISTIC_WRITE });
        if (order?.status !== 'payment-unknown') return;
        order.status = status;
        order.paymentDueAt = null;
        if (status === 'declined') await returnStock(em, await order.lines.loadItems());
      },
      { name: 'orders.settle-payment' },
    );
  }

  /** Those of the orders whose payment is still unknown: another instance may have settled the others. */
  async stillUnknown(orderIds: readonly string[]): Promise<readonly string[]> {
    const orders = await this.#database.read(
      em => em.find(Order, { id: { $in: [...orderIds] }, status: 'payment-unknown' }, { fields: ['id'] }),
      { name: 'orders.unknown-payments' },
    );
    return orders.map(({ id }) => id);
  }

  /** Looks at the payment again at `dueAt`. */
  async postpone(orderId: string, dueAt: Date): Promise<void> {
    await this.#database.session(
      em => em.nativeUpdate(Order, { id: orderId, status: 'payment-unknown' }, { paymentDueAt: dueAt }),
      { name: 'orders.postpone-payment' },
    );
  }
}
