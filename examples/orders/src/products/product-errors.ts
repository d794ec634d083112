import { type FieldProblem, KeelsonError } from '@keelson/core';

export function productUnknown(errors?: readonly FieldProblem[]): KeelsonError {
  return new KeelsonError({
    code: 'ORDERS_PRODUCT_UNKNOWN',
    message: 'A request named a product that does not exist.',
    http: { status: 404, title: 'Product unknown', detail: 'No product has this sku.', ...(errors && { errors }) },
  });
}

export function skuTaken(): KeelsonError {
  return new KeelsonError({
    code: 'ORDERS_SKU_TAKEN',
    message: 'A request added a product that exists already.',
    http: { status: 409, title: 'Sku taken', detail: 'A product has this sku already.' },
  });
}

export function stockTooLow(errors: readonly FieldProblem[]): KeelsonError {
  return new KeelsonError({
    code: 'ORDERS_STOCK_TOO_LOW',
    message: 'A request asked for more than is in stock.',
    http: { status: 409, title: 'Stock too low', detail: 'There is not enough in stock.', errors },
  });
}
