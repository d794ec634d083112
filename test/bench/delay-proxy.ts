import { fileURLToPath } from 'node:url';
import { BenchProcess } from './child-process.js';

const script = fileURLToPath(new URL('delay-proxy-process.ts', import.meta.url));

/** Makes each round trip to the database longer. */
export class DelayProxy implements AsyncDisposable {
  readonly #process: BenchProcess;
  readonly #port: number;

  private constructor(process: BenchProcess, port: number) {
    this.#process = process;
    this.#port = port;
  }

  static async start(databaseUrl: string, delayMs: number): Promise<DelayProxy> {
    const words = [new URL(databaseUrl).port, String(delayMs)];
    const started = new BenchProcess(script, words, { env: { PATH: process.env.PATH } });
    const { port } = await started.answer<{ port: number }>();
    return new DelayProxy(started, port);
  }

  url(databaseUrl: string): string {
    const url = new URL(databaseUrl);
    url.port = String(this.#port);
    return url.href;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#process.stop();
  }
}
