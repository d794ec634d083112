import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { ServiceControl, ServiceStatus } from '@keelson/core';
import type { Check, Live, Sample } from '../model.js';
import type { HealthWatch } from './health-watch.js';
import type { Outages } from './outages.js';
import { breakerLevel, breakersOf, levelsOf, operationsOf, poolsOf } from './read-facts.js';
import { Ring } from './ring.js';
import type { Traffic } from './traffic.js';

/** Five minutes. */
const mostSamples = 300;
/** Two pages at once take no more samples than one. */
const betweenSamplesMs = 900;
const loopResolutionMs = 10;
/** No page looks any more when none has asked for this long. */
const unwatchedMs = 15_000;

export interface LiveParts {
  readonly service: Pick<ServiceControl, 'status'>;
  readonly traffic: Traffic | undefined;
  readonly outages: Outages;
  readonly health: HealthWatch;
  readonly historyRevision: () => number;
  /** In milliseconds since 1970. */
  readonly now: () => number;
  readonly startedAt: number;
}

interface Taken {
  readonly at: number;
  readonly status: ServiceStatus;
}

/** Takes a sample when a page asks for one, at most once a second. While no page is open it does nothing. */
export class LiveSamples implements Disposable {
  readonly #parts: LiveParts;
  #samples = new Ring<Sample>(mostSamples);
  #number = 0;
  #taken: Promise<Taken> | undefined;
  #takenAt = 0;
  #loop: ReturnType<typeof monitorEventLoopDelay> | undefined;
  #unwatched: NodeJS.Timeout | undefined;

  constructor(parts: LiveParts) {
    this.#parts = parts;
  }

  /** The samples after the one with that number, and how things stand. */
  async after(number: number): Promise<Live> {
    const { traffic, outages, startedAt, historyRevision } = this.#parts;
    const { status } = await this.#take();
    const { service, environment, phase, readiness, plugins } = status;
    const open = outages.open;
    return {
      service,
      ...(environment !== undefined && { environment }),
      pid: process.pid,
      phase,
      startedAt,
      readiness: { status: readiness.status, checks: readiness.checks.map(checkOf) },
      samples: this.#samples.values().filter(sample => sample.number > number),
      pools: poolsOf(plugins),
      breakers: breakersOf(plugins),
      levels: levelsOf(plugins),
      operations: operationsOf(plugins),
      historyRevision: historyRevision(),
      lastRequest: traffic?.lastRequest ?? 0,
      ...(open !== undefined && { openOutage: open }),
      counts: traffic !== undefined,
    };
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#unwatched);
    this.#forget();
  }

  #take(): Promise<Taken> {
    this.#watch();
    const now = this.#parts.now();
    if (this.#taken === undefined || now - this.#takenAt >= betweenSamplesMs) {
      this.#takenAt = now;
      this.#taken = this.#sample(now);
    }
    return this.#taken;
  }

  async #sample(at: number): Promise<Taken> {
    const { service, traffic, health } = this.#parts;
    const status = await service.status();
    health.look();
    const { plugins } = status;
    const { heapUsed, rss } = process.memoryUsage();
    const { user, system } = process.cpuUsage();
    this.#number += 1;
    this.#samples.push({
      number: this.#number,
      at,
      ...(traffic?.counters() ?? { answers: 0, failed: 0, repeated: 0, durations: [] }),
      loopLateMs: this.#longestDelay(),
      heapBytes: heapUsed,
      rssBytes: rss,
      cpuMs: Math.round((user + system) / 1_000),
      pools: Object.fromEntries(poolsOf(plugins).map(pool => [pool.plugin, [pool.busy, pool.waiting, pool.total]])),
      breakers: Object.fromEntries(breakersOf(plugins).map(({ target, state }) => [target, breakerLevel(state)])),
    });
    return { at, status };
  }

  #longestDelay(): number {
    const loop = this.#loop;
    if (loop === undefined || loop.max <= 0 || loop.count === 0) return 0;
    const late = loop.max / 1e6 - loopResolutionMs;
    loop.reset();
    return Math.max(0, Math.round(late));
  }

  /** Measures the event loop while a page looks. */
  #watch(): void {
    if (this.#loop === undefined) {
      this.#loop = monitorEventLoopDelay({ resolution: loopResolutionMs });
      this.#loop.enable();
    }
    clearTimeout(this.#unwatched);
    this.#unwatched = setTimeout(() => this.#forget(), unwatchedMs);
    this.#unwatched.unref();
  }

  #forget(): void {
    this.#loop?.disable();
    this.#loop = undefined;
    this.#samples = new Ring(mostSamples);
    this.#taken = undefined;
  }
}

function checkOf({ name, status, critical, output, durationMs }: ServiceStatus['readiness']['checks'][number]): Check {
  return {
    name,
    status,
    critical,
    ...(output !== undefined && { output }),
    ...(durationMs !== undefined && { durationMs: Math.round(durationMs * 10) / 10 }),
  };
}
