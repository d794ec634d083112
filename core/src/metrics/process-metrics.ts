import { constants, monitorEventLoopDelay, PerformanceObserver, performance } from 'node:perf_hooks';
import { getHeapSpaceStatistics } from 'node:v8';
import { oldGeneration } from '../contract/old-generation.js';
import type { Labels, Metrics, Observation } from '../contract/slots/metrics.js';

/** How often the delay of the event loop is sampled, in ms. */
const resolutionMs = 20;

/**
 * Measures the process: CPU, memory, the event loop, garbage collection and what is open, by the names of the
 * OpenTelemetry conventions. Disposing of the result ends it.
 */
export function measureProcess(metrics: Metrics): Disposable {
  const parts = [measureCpu(metrics), measureMemory(metrics), measureEventLoop(metrics), measureGarbage(metrics)];
  return {
    [Symbol.dispose]() {
      for (const part of parts.flat()) part[Symbol.dispose]();
    },
  };
}

function measureCpu(metrics: Metrics): readonly Disposable[] {
  const modes = { user: labelsOf('cpu.mode', 'user'), system: labelsOf('cpu.mode', 'system') };
  return [
    metrics.gauge(
      {
        name: 'process.cpu.time',
        description: 'CPU time of the process',
        unit: 's',
        labels: ['cpu.mode'],
        monotonic: true,
      },
      () => {
        const { user, system } = process.cpuUsage();
        return [
          { value: user / 1e6, labels: modes.user },
          { value: system / 1e6, labels: modes.system },
        ];
      },
    ),
    metrics.gauge({ name: 'process.uptime', description: 'Time since the process was started', unit: 's' }, () => [
      { value: process.uptime() },
    ]),
    metrics.gauge(
      {
        name: 'nodejs.active_resources',
        description: 'Resources that keep the event loop alive: timers, sockets and requests, by type',
        unit: '{resource}',
        labels: ['nodejs.resource.type'],
      },
      activeResources,
    ),
  ];
}

function activeResources(): readonly Observation[] {
  const counts = new Map<string, number>();
  for (const type of process.getActiveResourcesInfo()) counts.set(type, (counts.get(type) ?? 0) + 1);
  return [...counts].map(([type, value]) => ({ value, labels: { 'nodejs.resource.type': type } }));
}

function measureMemory(metrics: Metrics): readonly Disposable[] {
  const space = 'v8js.heap.space.name';
  const spaces = (read: (space: ReturnType<typeof getHeapSpaceStatistics>[number]) => number) => () =>
    getHeapSpaceStatistics().map(each => ({ value: read(each), labels: { [space]: each.space_name } }));
  return [
    metrics.gauge({ name: 'process.memory.usage', description: 'Physical memory of the process', unit: 'By' }, () => [
      { value: process.memoryUsage.rss() },
    ]),
    metrics.gauge(
      { name: 'v8js.memory.heap.used', description: 'Memory in use, by heap space', unit: 'By', labels: [space] },
      spaces(each => each.space_used_size),
    ),
    metrics.gauge(
      { name: 'v8js.memory.heap.size', description: 'Memory reserved, by heap space', unit: 'By', labels: [space] },
      spaces(each => each.space_size),
    ),
    metrics.gauge(
      {
        name: 'v8js.memory.heap.max',
        description: 'Largest heap without the spaces of new objects; beyond it, the process ends',
        unit: 'By',
      },
      () => [{ value: oldGeneration().limitBytes }],
    ),
  ];
}

type Delays = ReturnType<typeof monitorEventLoopDelay>;

const statistics: Readonly<Record<string, (delays: Delays) => number>> = {
  min: delays => delays.min,
  max: delays => delays.max,
  mean: delays => delays.mean,
  stddev: delays => delays.stddev,
  p50: delays => delays.percentile(50),
  p90: delays => delays.percentile(90),
  p99: delays => delays.percentile(99),
};

function measureEventLoop(metrics: Metrics): readonly Disposable[] {
  const delays = monitorEventLoopDelay({ resolution: resolutionMs });
  delays.enable();
  const gauges = Object.entries(statistics).map(([name, read], index, all) =>
    metrics.gauge(
      {
        name: `nodejs.eventloop.delay.${name}`,
        description: `How late timers are, since the last collection: ${name}`,
        unit: 's',
      },
      () => {
        const value = delays.count === 0 ? 0 : secondsLate(name, read(delays));
        // The last one that is read begins the next collection.
        if (index === all.length - 1) delays.reset();
        return [{ value }];
      },
    ),
  );
  const state = 'nodejs.eventloop.state';
  const states = { active: labelsOf(state, 'active'), idle: labelsOf(state, 'idle') };
  let before = performance.eventLoopUtilization();
  return [
    { [Symbol.dispose]: () => void delays.disable() },
    ...gauges,
    metrics.gauge(
      {
        name: 'nodejs.eventloop.utilization',
        description: 'Share of the time that the event loop was busy, since the last collection',
        unit: '1',
      },
      () => {
        const now = performance.eventLoopUtilization();
        const { utilization } = performance.eventLoopUtilization(now, before);
        before = now;
        return [{ value: utilization }];
      },
    ),
    metrics.gauge(
      {
        name: 'nodejs.eventloop.time',
        description: 'Time that the event loop was busy or idle',
        unit: 's',
        labels: [state],
        monotonic: true,
      },
      () => {
        const { active, idle } = performance.eventLoopUtilization();
        return [
          { value: active / 1e3, labels: states.active },
          { value: idle / 1e3, labels: states.idle },
        ];
      },
    ),
  ];
}

/** Node reports the time between two samples, in ns; a loop that is not late takes the resolution for it. */
function secondsLate(statistic: string, ns: number): number {
  return statistic === 'stddev' ? ns / 1e9 : Math.max(0, ns / 1e9 - resolutionMs / 1e3);
}

const gcTypes: Readonly<Record<number, string>> = {
  [constants.NODE_PERFORMANCE_GC_MAJOR]: 'major',
  [constants.NODE_PERFORMANCE_GC_MINOR]: 'minor',
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL]: 'incremental',
  [constants.NODE_PERFORMANCE_GC_WEAKCB]: 'weakcb',
};

function measureGarbage(metrics: Metrics): readonly Disposable[] {
  const type = 'v8js.gc.type';
  const duration = metrics.histogram({
    name: 'v8js.gc.duration',
    description: 'Duration of garbage collections, by type',
    unit: 's',
    labels: [type],
    buckets: [0.001, 0.01, 0.1, 1, 10],
  });
  const labels = new Map(Object.entries(gcTypes).map(([kind, name]) => [Number(kind), labelsOf(type, name)]));
  const observer = new PerformanceObserver(list => {
    for (const entry of list.getEntries()) duration.record(entry.duration / 1e3, labels.get(kindOf(entry)));
  });
  observer.observe({ entryTypes: ['gc'] });
  return [{ [Symbol.dispose]: () => observer.disconnect() }];
}

function kindOf(entry: object): number {
  const detail: unknown = Reflect.get(entry, 'detail');
  const kind: unknown = typeof detail === 'object' && detail !== null ? Reflect.get(detail, 'kind') : undefined;
  return typeof kind === 'number' ? kind : constants.NODE_PERFORMANCE_GC_MINOR;
}

function labelsOf(name: string, value: string): Labels {
  return Object.freeze({ [name]: value });
}
