/** So long the next waits for the one before, in milliseconds. */
const patienceMs = 250;

/**
 * Does `work` for one after the other, and for the next already when one takes long. What blocks the process is so counted
 * for the one that does it, and what waits keeps nobody else waiting.
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
