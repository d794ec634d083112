import { setTimeout as pause } from 'node:timers/promises';
import { startHaproxy } from '@keelson/test-support/haproxy';
import {
  type PatroniCluster,
  type PatroniNode,
  patroniNeeds,
  startPatroniCluster,
} from '@keelson/test-support/patroni';
import { connectPostgresqlService } from '@keelson/test-support/postgresql-service';
import { expect } from 'vitest';
import { seconds } from '../outages/table.js';
import { expectWritable, writeDuring } from './moving-writes.js';
import type { Form, Found, Scenario } from './topology.js';

const name = 'led';

interface Stage {
  readonly cluster: PatroniCluster;
  /** The primary, and the standby for which each commit waits. */
  readonly before: PatroniNode;
  readonly after: PatroniNode;
}

/** Changes who takes writes, and resolves when there are a primary and a standby for which each commit waits. */
type Move = (stage: Stage, form: Form) => Promise<void>;

/** A service behind HAProxy, which asks Patroni who takes writes. */
async function moveWhileWriting(form: Form, move: Move): Promise<Found> {
  await using cluster = await startPatroniCluster();
  const [before, after] = cluster.nodes;
  const direct = await cluster.createDatabase(name);
  await using balancer = await startHaproxy({
    servers: { [before.name]: before.url, [after.name]: after.url },
    checks: {
      path: '/primary',
      ports: { [before.name]: before.restPort, [after.name]: after.restPort },
      everyMs: 500,
    },
  });
  await using service = await connectPostgresqlService({
    url: balancer.url(direct),
    options: { commitProof: 'token' },
  });
  const { database } = service;
  await database.migrate();
  const storedOn = async (node: PatroniNode) =>
    (await node.query<{ email: string }>('select email from author order by email', [], name)).map(row => row.email);
  const stored = async () => storedOn(await cluster.primary());
  const { longestMs, ...found } = await writeDuring({ database, stored }, async () => {
    await pause(form === 'long' ? 2_000 : 300);
    await move({ cluster, before, after }, form);
  });
  await expectWritable(database);
  const primary = await cluster.primary();
  const standby = cluster.nodes.find(node => node !== primary);
  expect(standby && (await storedOn(standby))).toEqual(await storedOn(primary));
  return { ...found, notes: `the longest request took ${seconds(longestMs)}` };
}

const switchOver: Move = async ({ cluster, before, after }, form) => {
  await cluster.switchOver(after);
  await cluster.follows(before);
  if (form === 'short') return;
  await cluster.switchOver(before);
  await cluster.follows(after);
};

const failOver: Move = async ({ cluster, before, after }) => {
  await before.kill();
  await cluster.leads(after);
  await before.start();
  await cluster.follows(before);
};

/** Patroni does not manage the old primary: it takes writes until Patroni wakes up, and nothing of them may be acknowledged. */
const freeze: Move = async ({ cluster, before, after }) => {
  before.freeze();
  await cluster.leads(after);
  await pause(2_000);
  before.thaw();
  await cluster.follows(before);
};

/** Without the store no node may lead: Patroni makes the primary read-only until the store is back. */
const loseStore: Move = async ({ cluster, before }) => {
  await cluster.store.stop();
  await cluster.gaveUp(before);
  await cluster.store.start();
  const primary = await cluster.primary();
  for (const node of cluster.nodes) if (node !== primary) await cluster.follows(node);
};

const common = { topology: 'HAProxy before Patroni and etcd', needs: ['haproxy', ...patroniNeeds] };

export const patroniScenarios: readonly Scenario[] = [
  {
    ...common,
    what: 'switchover by the REST API, there and back',
    isLong: true,
    run: form => moveWhileWriting(form, switchOver),
  },
  {
    ...common,
    what: 'failover: kill -9 of the primary and of its Patroni',
    run: form => moveWhileWriting(form, failOver),
  },
  {
    ...common,
    what: 'failover: Patroni on the primary is frozen (SIGSTOP), its PostgreSQL is not',
    isLong: true,
    run: form => moveWhileWriting(form, freeze),
  },
  {
    ...common,
    what: 'etcd is away until Patroni has made the primary read-only',
    isLong: true,
    run: form => moveWhileWriting(form, loseStore),
  },
];
