/** Longest wait for the previous item before the next one starts, in milliseconds. */
const patienceMs = 250;

/**
 * Runs `work` for one item after the other, and starts the next early when one takes long. A block of the process then
 * counts for the item that caused it, and an item that waits does not delay the others.
 */
export async function startStaggered<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const running: Promise<void>[] = [];
  for (const item of items) {
    const started = work(item);
    running.push(started);
    await settledOrLate(started);
  }
  await Promise.all(running);
}

async function settledOrLate(started: Promise<void>): Promise<void> {
  const late = Promise.withResolvers<void>();
  // Of the process, whatever clock the service has: it is about what an import does to it.
  const timer = setTimeout(late.resolve, patienceMs);
  await Promise.race([started.catch(() => undefined), late.promise]);
  clearTimeout(timer);
}
