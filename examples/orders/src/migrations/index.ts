import { CreateIdempotencyKeys } from '@keelson/http/idempotency';
import { AddOrderLines } from './add-order-lines.js';
import { AddPayments } from './add-payments.js';
import { CreateOrders } from './create-orders.js';
import { CreateProducts } from './create-products.js';

/** In the order in which they run; one that has been released is never changed. */
export const migrations = { CreateProducts, CreateOrders, CreateIdempotencyKeys, AddOrderLines, AddPayments };
