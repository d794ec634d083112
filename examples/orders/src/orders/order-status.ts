/**
 * placed -> payment-unknown -> paid | declined, and placed -> cancelled. `payment-unknown` begins before the payment service
 * is asked, and lasts until its answer is stored: whatever happens in between, the money may have been taken.
 */
export const orderStatuses = ['placed', 'payment-unknown', 'paid', 'declined', 'cancelled'] as const;

export type OrderStatus = (typeof orderStatuses)[number];
