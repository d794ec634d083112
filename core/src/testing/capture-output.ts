export interface CapturedOutput extends Disposable {
  /** The whole lines written so far. */
  lines(): readonly string[];
}

/** Keeps what is written to `process.stdout`, instead of writing it, until it is disposed of. */
export function captureOutput(): CapturedOutput {
  const { stdout } = process;
  const write = stdout.write;
  let text = '';
  stdout.write = (chunk: string | Uint8Array, ...rest: unknown[]): boolean => {
    text += typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString('utf8');
    const done = rest.at(-1);
    if (typeof done === 'function') queueMicrotask(() => done());
    return true;
  };
  return {
    lines: () => text.split('\n').slice(0, -1),
    [Symbol.dispose]: () => {
      stdout.write = write;
    },
  };
}
