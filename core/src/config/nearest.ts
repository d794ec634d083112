import { distance } from 'fastest-levenshtein';

/**
 * The one of `names` that `given` was probably meant to be; undefined when none is close enough to be a slip: when more than
 * `slip` letters differ, by default a third of them.
 */
export function nearest(given: string, names: Iterable<string>, slip?: number): string | undefined {
  const wanted = normalize(given);
  let best: { name: string; distance: number } | undefined;
  for (const name of names) {
    const away = distance(wanted, normalize(name));
    if (best === undefined || away < best.distance) best = { name, distance: away };
  }
  const most = slip ?? Math.max(2, Math.floor(wanted.length / 3));
  return best !== undefined && best.distance <= most ? best.name : undefined;
}

/** What `acquireTimeoutMs`, `acquire-timeout-ms` and `ACQUIRE_TIMEOUT_MS` have in common. */
export function normalize(name: string): string {
  return name.replaceAll(/[^\p{L}\p{N}]/gu, '').toLowerCase();
}
