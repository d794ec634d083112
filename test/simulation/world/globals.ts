// Replaces what a process of Node has of time, chance and network. To be imported before any of the code under test.
import crypto from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';
import net from 'node:net';
import timers from 'node:timers';
import timersPromises from 'node:timers/promises';
import { Random } from './random.ts';
import type { Happening } from './virtual-time.ts';
import { beginning, type World } from './world.ts';

let world: World | undefined;
/** Before the first world: some modules take numbers at random when they are loaded. */
const early = new Random('before the first world');

export const real = {
  now: performance.now.bind(performance),
  setImmediate: globalThis.setImmediate,
  setTimeout: globalThis.setTimeout,
  clearTimeout: globalThis.clearTimeout,
};

/** From now on time and chance are those of `next`. */
export function enter(next: World): void {
  world = next;
}

export function currentWorld(): World {
  if (world === undefined) throw new Error('there is no world yet');
  return world;
}

class SimulatedTimer {
  readonly #run: () => void;
  readonly #ms: number;
  readonly #repeats: boolean;
  #happening: Happening;

  constructor(ms: number, run: () => void, repeats: boolean) {
    // Node counts whole milliseconds: a timer of 1.9 ms fires after 1 ms.
    this.#ms = Number.isFinite(ms) ? Math.max(1, Math.trunc(ms)) : 1;
    this.#run = run;
    this.#repeats = repeats;
    this.#happening = this.#start();
  }

  #start(): Happening {
    const run = () => {
      if (this.#repeats) this.#happening = this.#start();
      this.#run();
    };
    return currentWorld().time.afterInContext(this.#ms, 'timer', run);
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  hasRef(): boolean {
    return true;
  }

  refresh(): this {
    this.close();
    this.#happening = this.#start();
    return this;
  }

  close(): this {
    currentWorld().time.cancel(this.#happening);
    return this;
  }
}

type Callback = (...given: unknown[]) => void;

function setTimeout(run: Callback, ms = 1, ...given: unknown[]): unknown {
  return new SimulatedTimer(ms, () => run(...given), false);
}
function setInterval(run: Callback, ms = 1, ...given: unknown[]): unknown {
  return new SimulatedTimer(ms, () => run(...given), true);
}
function clearTimer(timer: unknown): void {
  if (timer instanceof SimulatedTimer) timer.close();
}
function setImmediate(run: Callback, ...given: unknown[]): unknown {
  const { time, turnMs } = currentWorld();
  return time.afterInContext(turnMs, 'immediate', () => run(...given));
}
function clearImmediate(immediate: unknown): void {
  if (typeof immediate === 'object' && immediate !== null && 'isOver' in immediate) immediate.isOver = true;
}

function chance(): number {
  return (world?.ambient ?? early).next();
}

function randomBytes(count: number): Buffer {
  const bytes = Buffer.allocUnsafe(count);
  for (let at = 0; at < count; at++) bytes[at] = Math.floor(chance() * 256);
  return bytes;
}

function randomUUID(): string {
  const hex = randomBytes(16).toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20)}`;
}

const RealDate = Date;
const nowMs = () => Math.floor(beginning + (world?.now ?? 0));

function timeoutSignal(ms: number): AbortSignal {
  const controller = new AbortController();
  setTimeout(() => controller.abort(new DOMException('The operation was aborted due to timeout', 'TimeoutError')), ms);
  return controller.signal;
}

/** Never undone: a process that simulates does nothing else. `Socket` is what pg makes its connections of. */
export function replaceGlobals(Socket: new () => object): void {
  // Node makes them of sockets when they are first used.
  void [process.stdout, process.stderr];
  const ofTimers = {
    setTimeout,
    setInterval,
    setImmediate,
    clearTimeout: clearTimer,
    clearInterval: clearTimer,
    clearImmediate,
  };
  Object.assign(globalThis, ofTimers);
  Object.assign(timers, ofTimers);
  Object.assign(timersPromises, {
    setImmediate: (value: unknown) => new Promise(resolve => setImmediate(() => resolve(value))),
    setTimeout: (ms: number, value: unknown) => new Promise(resolve => setTimeout(() => resolve(value), ms)),
  });
  Object.defineProperty(performance, 'now', { value: () => world?.time.read() ?? 0, configurable: true });
  Math.random = chance;
  RealDate.now = nowMs;
  globalThis.Date = new Proxy(RealDate, {
    construct: (target, given, newTarget) =>
      Reflect.construct(target, given.length === 0 ? [nowMs()] : given, newTarget),
    apply: () => new RealDate(nowMs()).toString(),
  });
  AbortSignal.timeout = timeoutSignal;
  Object.assign(crypto, { randomBytes, randomUUID });
  Object.assign(net, { Socket });
  syncBuiltinESMExports();
}
