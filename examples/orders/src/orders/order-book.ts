import type { Clock } from '@keelson/core';
import type { EntityManager } from '@keelson/database';
import { type FilterQuery, LockMode } from '@mikro-orm/core';
import { type Price, returnStock, takeStock } from '../products/stock.js';
import { firstIdAt, newId } from '../time-ordered-id.js';
import { Order, OrderLine } from './order.js';
import { orderCancelledBefore, orderUnknown, paymentStarted } from './order-errors.js';
import { isOrderId, type NewLine, type PageRequest } from './order-input.js';
import { totalCentsOf } from './order-total.js';
import { cursorOf, idIn } from './page-cursor.js';

export interface OrderBookParts {
  readonly clock: Clock;
  /** Whether an order is to be paid after it was placed. */
  readonly takesPayments: boolean;
}

export interface OrderPage {
  readonly items: readonly Order[];
  /** The `after` of the next page; null on the last. */
  readonly next: string | null;
}

/** The operations on orders. Each method is a part of the transaction of `em`. */
export class OrderBook {
  readonly #parts: OrderBookParts;

  constructor(parts: OrderBookParts) {
    this.#parts = parts;
  }

  /**
   * Takes the stock of all lines, or of none.
   *
   * @param pathOf the JSON Pointer of a line, for the entries of the errors.
   * @throws KeelsonError ORDERS_PRODUCT_UNKNOWN or ORDERS_STOCK_TOO_LOW, with one entry for each line that fails.
   */
  async place(em: EntityManager, lines: readonly NewLine[], pathOf: (index: number) => string): Promise<Order> {
    const prices = await takeStock(em, lines, pathOf);
    return this.#write(em, lines, prices);
  }

  /**
   * Places an order for each line, or none.
   *
   * @throws KeelsonError ORDERS_PRODUCT_UNKNOWN or ORDERS_STOCK_TOO_LOW, with one entry for each line that fails.
   */
  async placeAll(em: EntityManager, lines: readonly NewLine[]): Promise<readonly Order[]> {
    const prices = await takeStock(em, lines, index => `/orders/${index}`);
    return lines.map(line => this.#write(em, [line], prices));
  }

  /** @throws KeelsonError ORDERS_ORDER_UNKNOWN. */
  async find(em: EntityManager, id: string): Promise<Order> {
    return found(isOrderId(id) ? await em.findOne(Order, { id }, { populate: ['lines'] }) : null);
  }

  /** Newest first, so that orders placed meanwhile do not move the pages that follow. */
  async page(em: EntityManager, { limit, ...wanted }: PageRequest): Promise<OrderPage> {
    const orders = await em.find(Order, conditionsOf(wanted), {
      orderBy: { id: 'desc' },
      limit: limit + 1,
      populate: ['lines'],
    });
    const items = orders.slice(0, limit);
    const last = orders.length > limit ? items.at(-1) : undefined;
    return { items, next: last === undefined ? null : cursorOf(last.id) };
  }

  /**
   * Gives the stock back. Of several at once one cancels; the others find it cancelled.
   *
   * @throws KeelsonError ORDERS_ORDER_UNKNOWN, ORDERS_ORDER_CANCELLED_BEFORE or ORDERS_PAYMENT_STARTED.
   */
  async cancel(em: EntityManager, id: string): Promise<Order> {
    const order = await this.#lock(em, id);
    if (order.status === 'cancelled') throw orderCancelledBefore();
    if (order.status !== 'placed') throw paymentStarted();
    order.status = 'cancelled';
    order.paymentDueAt = null;
    await returnStock(em, order.lines.getItems());
    return order;
  }

  async #lock(em: EntityManager, id: string): Promise<Order> {
    const lock = { lockMode: LockMode.PESSIMISTIC_WRITE };
    const order = found(isOrderId(id) ? await em.findOne(Order, { id }, lock) : null);
    await order.lines.load();
    return order;
  }

  #write(em: EntityManager, lines: readonly NewLine[], prices: ReadonlyMap<string, Price>): Order {
    const { clock, takesPayments } = this.#parts;
    const createdAt = clock.date();
    const priced = lines.map(line => ({ ...line, unitPriceCents: prices.get(line.sku)?.unitPriceCents ?? 0 }));
    const order = em.create(Order, {
      id: newId(createdAt),
      status: 'placed',
      totalCents: totalCentsOf(priced),
      createdAt,
      paymentDueAt: takesPayments ? createdAt : null,
    });
    priced.forEach((line, index) => {
      em.create(OrderLine, { order, position: index + 1, ...line });
    });
    return order;
  }
}

function conditionsOf({ after, status, product, since, until }: Omit<PageRequest, 'limit'>): FilterQuery<Order> {
  const last = after === undefined ? undefined : idIn(after);
  const ids = {
    ...(last !== undefined && { $lt: last }),
    ...(since !== undefined && { $gte: firstIdAt(since) }),
  };
  const conditions: FilterQuery<Order>[] = [{ id: ids }];
  if (until !== undefined) conditions.push({ id: { $lt: firstIdAt(until) } });
  if (status !== undefined) conditions.push({ status });
  if (product !== undefined) conditions.push({ lines: { $some: { sku: product } } });
  return { $and: conditions };
}

function found(order: Order | null): Order {
  if (order === null) throw orderUnknown();
  return order;
}
