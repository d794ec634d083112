import { type FieldProblem, KeelsonError } from '@keelson/core';

export function productUnknown(errors?: readonly FieldProblem[]): KeelsonError {
  return new KeelsonError({
    code: 'ORDERS_PRODUCT_UNKNOWN',
    message: 'A request named a product that does not exist.',
    http: { status: 404, title: 'Product unknown', detail: 'No product has this sku.', ...(errors && { errors }) },
  });
}

export function stockTooLow(errors: readonly FieldProblem[]): KeelsonError {
  return new KeelsonError({
    code: 'ORDERS_STOCK_TOO_LOW',
    message: 'A request asked for more than there is in stock.',
    http: { status: 409, title: 'Stock too low', detail: 'There is not enough in stock.', errors },
  });
}
