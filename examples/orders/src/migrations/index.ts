import { CreateIdempotencyKeys } from '@keelson/http/idempotency';
import { CreateOrders } from './create-orders.js';
import { CreateProducts } from './create-products.js';

/** In the order in which they run; one that has been released is never changed. */
export const migrations = [CreateProducts, CreateOrders, CreateIdempotencyKeys];
