import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HttpClient, type KeelsonError, Kernel } from '@keelson/core';
import { DatabaseService } from '@keelson/database';
import { copyEmptyPglite } from '@keelson/test-support/empty-pglite';
import { runKeelson } from '@keelson/test-support/run-keelson';
import { afterEach, describe, expect, onTestFinished, test } from 'vitest';

let kernel: Kernel | undefined;

afterEach(async () => {
  await kernel?.stop();
});

async function start(retry: string, rules: object[], more: object = {}): Promise<Kernel> {
  const policies = { default: { maxAttempts: 5, initialDelayMs: 1, maxDelayMs: 5, whenOpen: 'refuse' } };
  kernel = await Kernel.start({
    config: {
      service: 'rehearsed',
      plugins: {
        retry: { use: retry, policies },
        'http-client': { use: '@keelson/http-client' },
        faults: { rules },
        ...more,
      },
    },
    overrides: { plugins: { faults: { use: '@keelson/faults' } } },
    variables: {},
    directory: import.meta.dirname,
  });
  return kernel;
}

async function serve(): Promise<{ url: string; requests: () => number } & Disposable> {
  let requests = 0;
  const server = createServer((_request, response) => {
    requests++;
    response.end('done');
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  return { url, requests: () => requests, [Symbol.dispose]: () => void server.close().closeAllConnections() };
}

/** With the seeds below no five attempts in a row fail three times: the breaker stays closed however slow the machine. */
describe.each(['@keelson/retry-opossum', '@keelson/retry-cockatiel'])('a rehearsal with %s', retry => {
  test('seldom failures are retried away, and the caller sees none of them', async () => {
    using server = await serve();
    const rules = [{ target: 'http-client', kind: 'error', probability: 0.2, seed: 18 }];
    const client = (await start(retry, rules)).container.get(HttpClient);
    for (let request = 0; request < 20; request++) expect((await client.fetch(server.url)).status).toBe(200);
    expect(server.requests()).toBe(20);
  });

  test('a target that refuses everything opens its breaker, and nothing reaches it', async () => {
    using server = await serve();
    const host = new URL(server.url).host;
    const rules = [{ target: host, kind: 'refusal', probability: 1 }];
    const client = (await start(retry, rules)).container.get(HttpClient);
    const codes: string[] = [];
    for (let request = 0; request < 3; request++) {
      codes.push(
        await client.fetch(server.url, { idempotent: true }).then(String, (error: KeelsonError) => error.code),
      );
    }
    expect(codes).toContain('CIRCUIT_OPEN');
    expect(server.requests()).toBe(0);
  });

  test('a pool that is used up is waited out, and does not count against the target', async () => {
    using server = await serve();
    const rules = [{ target: 'http-client', kind: 'pool-exhaustion', probability: 1 }];
    const client = (await start(retry, rules)).container.get(HttpClient);
    for (let request = 0; request < 3; request++) {
      await expect(client.fetch(server.url)).rejects.toMatchObject({
        code: 'RETRY_ATTEMPTS_EXHAUSTED',
        facts: { attempts: 5 },
        cause: { code: 'FAULT_INJECTED', facts: { kind: 'pool-exhaustion' } },
      });
    }
  });

  test('sessions of the database come through failures that their work does not see', async () => {
    const rules = [{ target: 'database', kind: 'refusal', probability: 0.3, seed: 2 }];
    const folder = mkdtempSync(join(tmpdir(), 'keelson-faults-'));
    onTestFinished(async () => {
      await kernel?.stop();
      rmSync(folder, { recursive: true, force: true });
    });
    const dataDir = join(folder, 'data');
    await copyEmptyPglite(dataDir);
    const { container } = await start(retry, rules, { database: { use: '@keelson/database-pglite', dataDir } });
    const database = container.get(DatabaseService);
    let runs = 0;
    for (let session = 0; session < 10; session++) {
      await database.session(async em => {
        runs++;
        await em.execute('select 1');
      });
    }
    expect(runs).toBe(10);
  }, 60_000);
});

test('keelson check refuses rules for production with their place, before anything starts, unless they are allowed', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'keelson-faults-'));
  try {
    symlinkSync(join(import.meta.dirname, '../node_modules'), join(directory, 'node_modules'));
    const rules = '    rules:\n      - { target: database, kind: refusal, probability: 1 }\n';
    writeFileSync(
      join(directory, 'keelson.yaml'),
      `service: rehearsed\nplugins:\n  faults:\n    use: "@keelson/faults"\n${rules}`,
    );
    writeFileSync(join(directory, 'keelson.production.yaml'), '');
    const refused = await runKeelson(['check', '--environment', 'production'], { directory });
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain('keelson.yaml:6:7  FAULTS_IN_PRODUCTION');
    const variables = { KEELSON_FAULTS__ALLOW_IN_PRODUCTION: 'true' };
    expect((await runKeelson(['check', '--environment', 'production'], { directory, variables })).code).toBe(0);
    expect((await runKeelson(['check'], { directory })).code).toBe(0);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
