/**
 * `thrown`, or an error in its place when it throws as soon as it is looked at: a revoked Proxy, a getter that fails. Without
 * this, finding out what it is would fail instead of the unit, which would never be rolled back.
 */
export function readable(thrown: unknown): unknown {
  if (typeof thrown !== 'object' || thrown === null) return thrown;
  try {
    void (thrown instanceof Error);
    Reflect.get(thrown, 'code');
    return thrown;
  } catch (cause) {
    return new Error('The work of a session threw a value that cannot be read.', { cause });
  }
}
