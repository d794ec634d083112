/** As `extract(epoch from …)` writes it. */
export function epoch(ms: number): string {
  return (ms / 1_000).toFixed(6);
}
