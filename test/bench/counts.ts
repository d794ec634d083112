import { startTcpProxy } from '@keelson/test-support/tcp-proxy';
import { Load } from './load.js';
import { MessageTap } from './message-tap.js';
import type { Scenario } from './requests.js';
import { RunningService } from './running-service.js';
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
}

export const countedScenarios = ['get', 'post', 'batch', 'list'] as const satisfies readonly Scenario[];

export type AllCounts = Readonly<Record<(typeof countedScenarios)[number], Counts>>;

export interface CountsPlace {
  readonly databaseUrl: string;
  readonly logFile: string;
}

/** Of a service of its own, whose requests come one after another. */
export async function countsOf(kind: ServiceKind, place: CountsPlace): Promise<AllCounts> {
  await using load = new Load();
  const onWire = await wireCounts(kind, place, load);
  const inHeap = await heapCounts(kind, place, load);
  const of = (scenario: keyof AllCounts): Counts => ({ ...onWire[scenario], allocatedKb: inHeap[scenario] });
  return { get: of('get'), post: of('post'), batch: of('batch'), list: of('list') };
}

type WireCounts = Omit<Counts, 'allocatedKb'>;

/** So that answers and what follows them are told apart, whoever is faster. */
const roundTripMs = 1;
const wireWarmUp = 30;
const wireRequests = 11;

/** The median of single requests: a question beside them, such as a ping, changes none of the others. */
async function wireCounts(kind: ServiceKind, { databaseUrl, logFile }: CountsPlace, load: Load) {
  await using proxy = await startTcpProxy({ to: databaseUrl, latencyMs: roundTripMs });
  await using tap = await MessageTap.start(proxy.port);
  await using service = await RunningService.start(kind, { databaseUrl: tap.url(databaseUrl), logFile });

  async function count(scenario: Scenario): Promise<WireCounts> {
    const send = (requests: number) => load.run({ port: service.port, connections: 1, scenario, requests });
    await send(wireWarmUp);
    const single: WireCounts[] = [];
    for (let request = 0; request < wireRequests; request++) {
      const recording = proxy.recording();
      const before = tap.messages;
      await send(1);
      single.push({
        messages: tap.messages - before,
        roundTrips: recording.roundTrips,
        statements: recording.statements.flat().length,
      });
    }
    const medianOf = (key: keyof WireCounts) => median(single.map(each => each[key]));
    return { messages: medianOf('messages'), roundTrips: medianOf('roundTrips'), statements: medianOf('statements') };
  }

  return await forEachScenario(count);
}

const heapWarmUp = { get: 800, post: 500, batch: 40, list: 40 } as const;
const heapRequests = { get: 400, post: 300, batch: 25, list: 25 } as const;

async function heapCounts(kind: ServiceKind, place: CountsPlace, load: Load) {
  await using service = await RunningService.start(kind, place);

  return await forEachScenario(async scenario => {
    const { port } = service;
    await load.run({ port, connections: 8, scenario, requests: heapWarmUp[scenario] });
    const requests = heapRequests[scenario];
    await load.run({ port, connections: 1, scenario, requests: 10 });
    const bytes = await service.allocatedBytesOf(() => load.run({ port, connections: 1, scenario, requests }));
    return bytes / requests / 1_024;
  });
}

/** One after another. */
async function forEachScenario<T>(count: (scenario: keyof AllCounts) => Promise<T>) {
  return { get: await count('get'), post: await count('post'), batch: await count('batch'), list: await count('list') };
}
