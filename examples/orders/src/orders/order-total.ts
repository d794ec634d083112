export interface PricedLine {
  readonly quantity: number;
  readonly unitPriceCents: number;
}

/**
 * The sum of all lines, in cents. Exact: the limits of a line and of an order keep it far below 2^53.
 */
export function totalCentsOf(lines: readonly PricedLine[]): number {
  return lines.reduce((sum, { quantity, unitPriceCents }) => sum + quantity * unitPriceCents, 0);
}
