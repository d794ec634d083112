import { KeelsonError } from '@keelson/core';

export function orderUnknown(): KeelsonError {
  return new KeelsonError({
    code: 'ORDERS_ORDER_UNKNOWN',
    message: 'A request named an order that does not exist.',
    http: { status: 404, title: 'Order unknown', detail: 'No order has this id.' },
  });
}

export function orderCancelledBefore(): KeelsonError {
  return new KeelsonError({
    code: 'ORDERS_ORDER_CANCELLED_BEFORE',
    message: 'A request cancelled an order that was cancelled before.',
    http: { status: 409, title: 'Order cancelled before', detail: 'The order was cancelled before.' },
  });
}

export function paymentStarted(): KeelsonError {
  return new KeelsonError({
    code: 'ORDERS_PAYMENT_STARTED',
    message: 'A request cancelled an order whose payment has started.',
    http: {
      status: 409,
      title: 'Payment started',
      detail: 'The payment of the order has started, so it cannot be cancelled.',
    },
  });
}
