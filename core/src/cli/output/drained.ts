import type { Writable } from 'node:stream';

/**
 * Ignores from now on that the reader of `stream` has gone (`keelson schema | head -1`): output that the reader did not
 * want is not a failure. Any other error of the stream stays uncaught.
 */
export function forgiveGoneReader(stream: Writable): void {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
}

/**
 * Resolves when the reader of `stream` has everything that was written, or has gone. A pipe takes 64 KiB at once, and the
 * end of the process drops the rest. With `patienceMs` the wait ends when the reader takes nothing for that time.
 */
export function drained(stream: Writable, patienceMs?: number): Promise<void> {
  return new Promise(resolve => {
    const done = () => {
      clearInterval(watch);
      resolve();
    };
    let left = stream.writableLength;
    const giveUpWhenStuck = () => {
      if (stream.writableLength >= left) done();
      left = stream.writableLength;
    };
    const watch = patienceMs === undefined ? undefined : setInterval(giveUpWhenStuck, patienceMs);
    stream.write('', done);
  });
}
