// Runs the conformance suite of the database drivers on the simulated server, and prints what came of each case.
import type { DatabaseModel, DatabaseService } from '@keelson/database';
import '../process.ts';

const { silentTelemetry, systemClock } = await import('@keelson/core');
const { createDatabaseService } = await import('@keelson/database');
const { conformanceModel, databaseConformance } = await import('@keelson/database/testing');
const { optionsSchema, PostgresqlDriver } = await import('@keelson/database-postgresql');
const { OpossumRetryPolicy } = await import('@keelson/retry-opossum');
const { PostgreSqlDriver } = await import('@mikro-orm/postgresql');
const { Network } = await import('../network/network.ts');
const { joinNetwork } = await import('../network/simulated-socket.ts');
const { rowTables } = await import('../postgres/tables.ts');
const { History, SimulatedServer } = await import('../postgres/server.ts');
const { StoryLogger } = await import('../service/story-logger.ts');
const { enter } = await import('../world/globals.ts');
const { World } = await import('../world/world.ts');

const world = new World('conformance', { keepsStory: false, turnMs: 0.01 });
enter(world);
const network = new Network(world, { latencyMs: 0.1, jitterMs: 0, splits: 0.5 });
joinNetwork(network);

/** Makes a server that is reached under its name. */
function start(name: string, tables: readonly string[]): void {
  const options = { maxConnections: 100, lazyFlushMs: 0, statementMs: 0.1, replicationMs: 0 };
  network.point(name, new SimulatedServer(world, new History(), tables, { name, address: '10.0.0.1', ...options }));
}

start('db', [...rowTables, 'keelson_commit_tokens']);

function newService(host: string, models: readonly DatabaseModel[]): DatabaseService {
  const logger = new StoryLogger(world, 'service');
  const clock = systemClock;
  const options = optionsSchema.parse({ url: `postgresql://app:secret@${host}:5432/shop` });
  return createDatabaseService({
    driver: new PostgresqlDriver(options, { logger, clock, directory: '.' }),
    ormDriver: PostgreSqlDriver,
    models,
    options,
    retry: new OpossumRetryPolicy({ clock }),
    telemetry: silentTelemetry,
    logger,
    clock,
    target: 'database',
  });
}

/** What came of each case: its outcome, or what it failed with, and what else the simulation found wrong. */
const seen: Record<string, unknown> = {};

/** Of virtual time. */
const longestCaseMs = 120_000;

async function runAll(): Promise<void> {
  let database = newService('db', [conformanceModel]);
  let servers = 0;
  await database.connect();
  const cases = databaseConformance(() => ({
    database,
    open: async ({ count, models }) => {
      servers += 1;
      const host = `further${servers}`;
      start(host, []);
      return Array.from({ length: count }, () => newService(host, models));
    },
  }));
  for (const { name, run } of cases) {
    const before = world.violations.length;
    const late = world.time.sleep(longestCaseMs, 'a case').then(() => 'not ended');
    const outcome = await Promise.race([run().catch((error: unknown) => String(error)), late]);
    const unsound = world.violations.slice(before).map(({ text }) => text);
    seen[name] = { outcome, unsound };
    if (unsound.length === 0 && (outcome === 'passed' || outcome === 'not-applicable')) continue;
    // What is left of the case is not to fail the next one.
    void database.disconnect();
    database = newService('db', [conformanceModel]);
    await database.connect();
  }
  await database.disconnect();
}

process.on('unhandledRejection', error => world.violate('no uncaught error', String(error)));

let isDone = false;
void runAll().then(
  () => {
    isDone = true;
  },
  error => {
    console.error(error);
    isDone = true;
  },
);
await world.time.run(() => isDone || world.now > 3_600_000);
process.stdout.write(`${JSON.stringify({ seen, isDone })}\n`, () => process.exit(0));
