import { closeSync, openSync, readFileSync } from 'node:fs';
import { get } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { freePort } from '@keelson/test-support/free-port';
import { temporaryFolder } from '@keelson/test-support/temporary-folder';
import { BenchProcess } from './child-process.js';
import { cpuUsOf, residentMbOf } from './process-usage.js';
import type { ServiceKind } from './service-kinds.js';

export const poolMax = 8;

const heapCounter = fileURLToPath(new URL('heap-counter.mjs', import.meta.url));
const readyWithinMs = 60_000;
const probeEveryMs = 5;

export interface Allocations {
  readonly allocatedBytes: number;
  /** Of these, what was not yet garbage when it was looked at the second time. */
  readonly promotedBytes: number;
}

export interface ServicePlace {
  readonly databaseUrl: string;
  /** A file for all that it prints, as a service in production has. */
  readonly logFile: string;
}

/** A service that can take requests, as a process of its own. */
export class RunningService implements AsyncDisposable {
  readonly kind: ServiceKind;
  readonly port: number;
  /** From the start of the process until it was ready. */
  readonly startMs: number;
  readonly #process: BenchProcess;

  private constructor(kind: ServiceKind, port: number, startMs: number, process: BenchProcess) {
    this.kind = kind;
    this.port = port;
    this.startMs = startMs;
    this.#process = process;
  }

  static async start(kind: ServiceKind, place: ServicePlace): Promise<RunningService> {
    const port = await freePort();
    const startedAtMs = performance.now();
    const process = spawnService(kind, port, place);
    try {
      await untilReady(process, port, kind.readyPath);
    } catch (error) {
      await process.stop();
      const printed = readFileSync(place.logFile, 'utf8').slice(-2_000);
      throw new Error(`${kind.name} did not start. It printed:\n${printed}`, { cause: error });
    }
    return new RunningService(kind, port, performance.now() - startedAtMs, process);
  }

  /** False when the process has ended by itself. */
  get isRunning(): boolean {
    return this.#process.isRunning;
  }

  get cpuUs(): number {
    return cpuUsOf(this.#process.pid);
  }

  get residentMb(): number {
    return residentMbOf(this.#process.pid);
  }

  /** What the service allocates in its heap meanwhile. */
  async allocationsOf(work: () => Promise<unknown>): Promise<Allocations> {
    await this.#process.ask('count-allocations');
    await work();
    return this.#process.ask<Allocations>('allocations');
  }

  stop(): Promise<void> {
    return this.#process.stop();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

function spawnService(kind: ServiceKind, port: number, { databaseUrl, logFile }: ServicePlace): BenchProcess {
  const { PATH, HOME } = process.env;
  const output = openSync(logFile, 'w');
  const started = new BenchProcess(kind.script, kind.words, {
    cwd: kind.directory,
    execArgv: [
      '--import',
      heapCounter,
      ...(process.env.IMP ? ['--import', process.env.IMP] : []),
      ...(process.env.CPUPROF ? ['--cpu-prof', '--cpu-prof-dir=/tmp/w/prof', '--cpu-prof-interval=500'] : []),
    ],
    env: {
      PATH,
      HOME,
      ...temporaryFolder(),
      NODE_ENV: 'production',
      PORT: String(port),
      DATABASE_URL: databaseUrl,
      POOL_MAX: String(poolMax),
      ...kind.variables,
    },
    stdio: ['ignore', output, output, 'ipc'],
  });
  closeSync(output);
  return started;
}

async function untilReady(process: BenchProcess, port: number, path: string): Promise<void> {
  const endMs = performance.now() + readyWithinMs;
  while (!(await isReady(port, path))) {
    if (!process.isRunning) throw new Error('The service ended before it was ready.');
    if (performance.now() > endMs) throw new Error(`The service was not ready after ${readyWithinMs} ms.`);
    await sleep(probeEveryMs);
  }
}

function isReady(port: number, path: string): Promise<boolean> {
  return new Promise(resolve => {
    const request = get({ port, path, host: '127.0.0.1', agent: false }, response => {
      response.resume();
      response.on('end', () => resolve(response.statusCode === 200));
    });
    request.on('error', () => resolve(false));
  });
}
