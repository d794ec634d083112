import { fileURLToPath } from 'node:url';
import { BenchProcess } from './child-process.js';
import type { LoadOrder, LoadResult } from './load-order.js';

const script = fileURLToPath(new URL('load-process.ts', import.meta.url));

/** Sends requests from a process of its own. The connections of one order are those of the next to the same port. */
export class Load implements AsyncDisposable {
  readonly #process = new BenchProcess(script, [], { env: { PATH: process.env.PATH } });

  run(order: LoadOrder): Promise<LoadResult> {
    return this.#process.ask<LoadResult>(order);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#process.stop();
  }
}
