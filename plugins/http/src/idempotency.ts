export { CreateIdempotencyKeys } from './idempotency/create-idempotency-keys.js';
