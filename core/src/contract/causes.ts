/** The causes below `error`, nearest first; those of an AggregateError side by side. Ends on a cycle. */
export function causesOf(error: unknown): unknown[] {
  const found = new Set<unknown>();
  const queue: unknown[] = [error];
  for (const each of queue) {
    const { cause, errors } = (each ?? {}) as { cause?: unknown; errors?: unknown };
    for (const next of [cause, ...(Array.isArray(errors) ? errors : [])]) {
      if (next === undefined || next === error || found.has(next)) continue;
      found.add(next);
      queue.push(next);
    }
  }
  return [...found];
}
