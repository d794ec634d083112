// Runs all scripts on the simulated server, and prints what was seen of each, and the columns of all questions.
import '../process.ts';

const { Network } = await import('../network/network.ts');
const { joinNetwork } = await import('../network/simulated-socket.ts');
const { History, SimulatedServer } = await import('../postgres/server.ts');
const { questionTexts } = await import('../postgres/commands.ts');
const { rowTables } = await import('../postgres/tables.ts');
const { tables } = await import('../service/model.ts');
const { enter } = await import('../world/globals.ts');
const { World } = await import('../world/world.ts');
const { runScript } = await import('./run-script.ts');
const { scripts } = await import('./scripts.ts');

const world = new World('fidelity', { keepsStory: false });
enter(world);
const network = new Network(world, { latencyMs: 0.1, jitterMs: 0, splits: 0.5 });
joinNetwork(network);
const server = new SimulatedServer(
  world,
  new History(),
  [...Object.keys(tables), ...rowTables, 'keelson_commit_tokens'],
  {
    name: 'server',
    address: '10.0.0.1',
    maxConnections: 100,
    lazyFlushMs: 0,
    statementMs: 0.1,
    replicationMs: 0,
  },
);
network.point('db', server);
const config = { host: 'db', port: 5432, user: 'app', database: 'shop' };
const waits = {
  sleep: (ms: number) => world.time.sleep(ms, 'a script'),
  untilBlocked: () => world.time.sleep(20, 'a script'),
};
const seen: Record<string, unknown> = {};

async function runAll(): Promise<void> {
  for (const script of scripts) {
    process.stderr.write(`${script.name}\n`);
    seen[script.name] = await runScript(script, config, waits);
  }
  const steps = questionTexts.map(sql => ({ on: 'a', sql }));
  seen.questions = await runScript({ name: 'questions', steps }, config, waits);
}

/** Of virtual time; a script that waits for ever is seen by then. */
const longestMs = 600_000;
let isDone = false;
void runAll().then(() => {
  isDone = true;
});
await world.time.run(() => isDone || world.now > longestMs);
process.stdout.write(`${JSON.stringify({ seen, isDone, violations: world.violations })}\n`, () => process.exit(0));
