import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { Agent, get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { guard, release } from '@keelson/test-support/guardian';
import { BenchDatabase } from './bench-database.js';
import { table } from './markdown-table.js';
import { RunningService } from './running-service.js';
import { serviceKind } from './service-kinds.js';
import { median } from './statistics.js';

const slowClients = fileURLToPath(new URL('slow-clients.child.ts', import.meta.url));
const warmUpSeconds = 3;

/** Measures what a client of one connection waits for its answers, beside none and beside many slow clients, in turns. */
export async function main(words: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...words],
    options: {
      services: { type: 'string', default: 'keelson,keelson-routes-fastify' },
      clients: { type: 'string', default: '200' },
      rounds: { type: 'string', default: '3' },
      seconds: { type: 'string', default: '5' },
    },
  });
  const directory = mkdtempSync(join(tmpdir(), 'keelson-slow-'));
  guard(directory);
  try {
    await using database = await BenchDatabase.start();
    const rows: string[][] = [];
    for (const name of values.services.split(',')) {
      const place = { databaseUrl: database.url, logFile: join(directory, name) };
      await using service = await RunningService.start(serviceKind(name), place);
      await timesOf(service.port, warmUpSeconds);
      for (let round = 1; round <= Number(values.rounds); round++) {
        for (const clients of [0, Number(values.clients)]) {
          const times = await besides(clients, service.port, () => timesOf(service.port, Number(values.seconds)));
          rows.push([service.kind.title, String(round), String(clients), ...figuresOf(times)]);
        }
      }
    }
    console.log(table(['service', 'round', 'slow clients', 'answers', 'refused', 'p50 ms', 'p99 ms', 'max ms'], rows));
  } finally {
    rmSync(directory, { recursive: true, force: true });
    release(directory);
  }
}

async function besides<T>(clients: number, port: number, measure: () => Promise<T>): Promise<T> {
  if (clients === 0) return measure();
  const child = fork(slowClients, [String(port), String(clients)]);
  try {
    await once(child, 'message');
    return await measure();
  } finally {
    child.kill();
    await once(child, 'exit');
  }
}

interface Times {
  readonly ms: readonly number[];
  /** Answers other than 200: an overloaded machine has a service refuse requests. */
  readonly refused: number;
}

/** How long each request took, one after the other over one connection. */
async function timesOf(port: number, seconds: number): Promise<Times> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const ms: number[] = [];
  let refused = 0;
  const until = performance.now() + seconds * 1_000;
  for (let now = performance.now(); now < until; ) {
    const status = await statusOf(`http://127.0.0.1:${port}/products/${1 + (ms.length % 1_000)}`, agent);
    const after = performance.now();
    if (status === 200) ms.push(after - now);
    else refused += 1;
    now = after;
  }
  agent.destroy();
  return { ms, refused };
}

function statusOf(url: string, agent: Agent): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    get(url, { agent }, response => {
      response.resume().once('end', () => resolve(response.statusCode));
    }).once('error', reject);
  });
}

function figuresOf({ ms, refused }: Times): string[] {
  const sorted = ms.toSorted((one, other) => one - other);
  const p99 = sorted[Math.floor(sorted.length * 0.99)] ?? Number.NaN;
  const figures = [median(sorted), p99, sorted.at(-1) ?? Number.NaN].map(each => each.toFixed(2));
  return [String(sorted.length), String(refused), ...figures];
}
