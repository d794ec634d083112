import { startTcpProxy, type TcpProxy } from '@keelson/test-support/tcp-proxy';
import { Load } from './load.js';
import type { LoadOrder, LoadResult } from './load-order.js';
import { MessageTap } from './message-tap.js';
import type { Scenario } from './requests.js';
import { RunningService, type ServicePlace } from './running-service.js';
import type { ServiceKind } from './service-kinds.js';
import { median } from './statistics.js';

/** What one request takes that no busy machine changes. */
export interface Counts {
  /** Of the protocol of PostgreSQL, sent by the service. */
  readonly messages: number;
  readonly roundTrips: number;
  readonly statements: number;
  /** In the heap of the service. */
  readonly allocatedKb: number;
  /** What survives young collections: what a request leaves behind until the next full collection. */
  readonly promotedKb: number;
}

/** Of requests that come one after another to a service of their own. */
export async function countsOf(
  kind: ServiceKind,
  { databaseUrl, logFile }: ServicePlace,
  scenarios: readonly Scenario[],
): Promise<ReadonlyMap<Scenario, Counts>> {
  await using load = new FaultlessLoad();
  await using proxy = await startTcpProxy({ to: databaseUrl });
  await using tap = await MessageTap.start(proxy.port);
  await using service = await RunningService.start(kind, { databaseUrl: tap.url(databaseUrl), logFile });
  const counts = new Map<Scenario, Counts>();
  for (const scenario of scenarios) {
    const heap = await heapCountsOf(scenario, service, load);
    counts.set(scenario, { ...heap, ...(await wireCountsOf(scenario, service, load, proxy, tap)) });
  }
  return counts;
}

/** A refused request takes less than one that is done: counting it would say nothing. */
export class FaultlessLoad extends Load {
  override async run(order: LoadOrder): Promise<LoadResult> {
    const result = await super.run(order);
    const failures = Object.entries(result.failures).map(([status, count]) => `${count} x ${status}`);
    if (failures.length > 0) throw new Error(`Requests have failed: ${failures.join(', ')}.`);
    return result;
  }
}

/** Enough that what runs has been compiled, mostly. */
const warmUps: Readonly<Record<Scenario, number>> = { get: 400, post: 250, batch: 30, list: 30, mixed: 400 };
const measured: Readonly<Record<Scenario, number>> = { get: 600, post: 400, batch: 20, list: 20, mixed: 200 };

type WireCounts = Pick<Counts, 'messages' | 'roundTrips' | 'statements'>;

/** Of requests over one connection, after enough to compile the service. */
export async function heapCountsOf(
  scenario: Scenario,
  service: RunningService,
  load: FaultlessLoad,
): Promise<Omit<Counts, keyof WireCounts>> {
  const { port } = service;
  await load.run({ port, connections: 8, scenario, requests: warmUps[scenario] });
  // One connection from now on: opening it is not counted.
  await load.run({ port, connections: 1, scenario, requests: 10 });
  const requests = measured[scenario];
  const sent = () => load.run({ port, connections: 1, scenario, requests });
  const { allocatedBytes, promotedBytes } = await service.allocationsOf(sent);
  const kbOf = (bytes: number) => bytes / requests / 1_024;
  return { allocatedKb: kbOf(allocatedBytes), promotedKb: kbOf(promotedBytes) };
}

/** Separates an answer from what follows it, whichever arrives first. */
const roundTripMs = 1;
const wireRequests = 11;

/** The median of single requests: a question beside them, such as a ping, changes none of the others. */
async function wireCountsOf(
  scenario: Scenario,
  { port }: RunningService,
  load: FaultlessLoad,
  proxy: TcpProxy,
  tap: MessageTap,
): Promise<WireCounts> {
  proxy.latencyMs = roundTripMs;
  const recording = proxy.recording();
  const single: WireCounts[] = [];
  for (let request = 0; request < wireRequests; request++) {
    recording.clear();
    const before = tap.messages;
    await load.run({ port, connections: 1, scenario, requests: 1 });
    const { roundTrips, statements } = recording;
    single.push({ messages: tap.messages - before, roundTrips, statements: statements.flat().length });
  }
  proxy.latencyMs = 0;
  const medianOf = (key: keyof WireCounts) => median(single.map(each => each[key]));
  return { messages: medianOf('messages'), roundTrips: medianOf('roundTrips'), statements: medianOf('statements') };
}
