import { randomUUIDv7 } from 'node:crypto';
import type { Clock } from '@keelson/core';
import type { EntityManager } from '@keelson/database';
import { LockMode } from '@mikro-orm/core';
import { returnStock, takeStock, takeStockForAll } from '../products/stock.js';
import { Order } from './order.js';
import { orderCancelledBefore, orderUnknown } from './order-errors.js';
import { isOrderId, type NewOrder, type PageRequest } from './order-input.js';

export interface OrderPage {
  readonly items: readonly Order[];
  /** The `after` of the next page; null on the last. */
  readonly next: string | null;
}

/** The operations on orders. Each method is a part of the transaction of `em`. */
export class OrderBook {
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @throws KeelsonError ORDERS_PRODUCT_UNKNOWN or ORDERS_STOCK_TOO_LOW. */
  async place(em: EntityManager, line: NewOrder): Promise<Order> {
    await takeStock(em, line);
    return this.#write(em, line);
  }

  /**
   * All or nothing.
   *
   * @throws KeelsonError ORDERS_PRODUCT_UNKNOWN or ORDERS_STOCK_TOO_LOW, with one entry for each line that fails.
   */
  async placeAll(em: EntityManager, lines: readonly NewOrder[]): Promise<readonly Order[]> {
    await takeStockForAll(em, lines);
    return lines.map(line => this.#write(em, line));
  }

  /** @throws KeelsonError ORDERS_ORDER_UNKNOWN. */
  async find(em: EntityManager, id: string): Promise<Order> {
    return found(isOrderId(id) ? await em.findOne(Order, { id }) : null);
  }

  /** Newest first, so that orders placed meanwhile do not move the pages that follow. */
  async page(em: EntityManager, { limit, after }: PageRequest): Promise<OrderPage> {
    const where = after === undefined ? {} : { id: { $lt: after } };
    const orders = await em.find(Order, where, { orderBy: { id: 'desc' }, limit: limit + 1 });
    const items = orders.slice(0, limit);
    return { items, next: orders.length > limit ? (items.at(-1)?.id ?? null) : null };
  }

  /**
   * Gives the stock back. Of several at once one cancels; the others find it cancelled.
   *
   * @throws KeelsonError ORDERS_ORDER_UNKNOWN or ORDERS_ORDER_CANCELLED_BEFORE.
   */
  async cancel(em: EntityManager, id: string): Promise<Order> {
    const lock = { lockMode: LockMode.PESSIMISTIC_WRITE };
    const order = found(isOrderId(id) ? await em.findOne(Order, { id }, lock) : null);
    if (order.status === 'cancelled') throw orderCancelledBefore();
    order.status = 'cancelled';
    await returnStock(em, order);
    return order;
  }

  #write(em: EntityManager, { sku, quantity }: NewOrder): Order {
    return em.create(Order, { id: randomUUIDv7(), sku, quantity, status: 'placed', createdAt: this.#clock.date() });
  }
}

function found(order: Order | null): Order {
  if (order === null) throw orderUnknown();
  return order;
}
