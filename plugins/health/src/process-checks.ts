import { statfs } from 'node:fs/promises';
import { resolve } from 'node:path';
import { type Clock, type HealthCheck, type HealthResult, oldGeneration } from '@keelson/core';
import { LoopDelay } from './loop-delay.js';
import type { HealthOptions } from './options.js';

type Own = HealthOptions['process'];

/** The checks of the process itself: none is critical, as another instance would meet the same. */
export function processChecks(
  own: Own,
  { clock, directory }: { readonly clock: Clock; readonly directory: string },
): { readonly checks: readonly HealthCheck[] } & Disposable {
  const delay = own.eventLoop === false ? undefined : new LoopDelay(clock);
  const checks: HealthCheck[] = [];
  if (own.eventLoop !== false && delay !== undefined) checks.push(eventLoopCheck(delay, own.eventLoop.maxDelayMs));
  if (own.memory !== false) checks.push(memoryCheck(own.memory));
  if (own.disk !== false) checks.push(diskCheck(resolve(directory, own.disk.path), own.disk.minFreeBytes));
  return { checks, [Symbol.dispose]: () => delay?.[Symbol.dispose]() };
}

/** Fails after two late samples in a row: one long pause of the garbage collector is not enough. */
function eventLoopCheck(delay: LoopDelay, maxDelayMs: number): HealthCheck {
  return {
    name: 'process-event-loop',
    critical: false,
    failureThreshold: 2,
    check: async () => eventLoopResult(delay.takeMs(), maxDelayMs),
  };
}

export function eventLoopResult(delayMs: number, maxDelayMs: number): HealthResult {
  const facts = { delayMs, maxDelayMs };
  if (delayMs <= maxDelayMs) return { status: 'pass', facts };
  return { status: 'fail', output: `The event loop is ${delayMs} ms late; the limit is ${maxDelayMs} ms.`, facts };
}

function memoryCheck({ maxPercent }: { readonly maxPercent: number }): HealthCheck {
  return {
    name: 'process-memory',
    critical: false,
    failureThreshold: 2,
    successThreshold: 2,
    check: async () => {
      const places = [
        { what: 'the memory of the container', usedBytes: process.memoryUsage.rss(), limitBytes: containerLimit() },
        { what: 'the heap', ...oldGeneration() },
      ];
      return memoryResult(places, maxPercent);
    },
  };
}

/** In bytes; undefined without a limit, which is 0 or more than there can be. */
function containerLimit(): number | undefined {
  const limit = process.constrainedMemory();
  return limit > 0 && limit < Number.MAX_SAFE_INTEGER ? limit : undefined;
}

interface MemoryUse {
  readonly what: string;
  readonly usedBytes: number;
  readonly limitBytes: number | undefined;
}

export function memoryResult(places: readonly MemoryUse[], maxPercent: number): HealthResult {
  const bounded = places.flatMap(({ what, usedBytes, limitBytes }) =>
    limitBytes === undefined
      ? []
      : [{ what, usedBytes, limitBytes, percent: Math.round((usedBytes / limitBytes) * 100) }],
  );
  const facts = { places: bounded, maxPercent };
  const full = bounded.filter(({ percent }) => percent > maxPercent);
  if (full.length === 0) return { status: 'pass', facts };
  const said = full.map(
    ({ what, percent, limitBytes }) => `${percent} % of ${what} (${megabytes(limitBytes)}) is in use`,
  );
  return { status: 'fail', output: `${said.join(', and ')}; the limit is ${maxPercent} %.`, facts };
}

function diskCheck(path: string, minFreeBytes: number): HealthCheck {
  return {
    name: 'process-disk',
    critical: false,
    intervalMs: 30_000,
    check: async () => {
      const { bavail, bsize } = await statfs(path);
      return diskResult(bavail * bsize, minFreeBytes);
    },
  };
}

export function diskResult(freeBytes: number, minFreeBytes: number): HealthResult {
  const facts = { freeBytes, minFreeBytes };
  if (freeBytes >= minFreeBytes) return { status: 'pass', facts };
  return {
    status: 'fail',
    output: `${megabytes(freeBytes)} are free on the disk; the limit is ${megabytes(minFreeBytes)}.`,
    facts,
  };
}

function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1_048_576)} MB`;
}
