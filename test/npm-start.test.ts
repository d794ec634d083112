import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type ServiceProcess, startService } from '@keelson/test-support/service-process';
import { afterAll, beforeAll, expect, test } from 'vitest';

const run = promisify(execFile);
const hasCurl = spawnSync('curl', ['--version']).status === 0;
const promisedMs = 6_000;

let directory: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'keelson-npm-start-'));
});

afterAll(() => {
  rmSync(directory, { recursive: true, force: true });
});

/** `npm start` at the root, on the embedded database. */
async function npmStart(): Promise<ServiceProcess & { tookMs: number }> {
  const begun = performance.now();
  const service = await startService({
    npmStart: ['--silent'],
    // A stop of some length: Ctrl-C reaches the service twice, once from the terminal and once through npm.
    variables: { KEELSON_DATABASE__DATA_DIR: join(directory, 'data'), KEELSON_SHUTDOWN__NOTICE_MS: '300' },
  });
  return Object.assign(service, { tookMs: performance.now() - begun });
}

function curlLines(service: ServiceProcess): string[] {
  return service.stdout.split('\n').flatMap(line => (/^ {2}curl /.test(line) ? [line.trim()] : []));
}

/** Status and body of a printed line, run by a shell as it stands. */
async function pasted(line: string): Promise<{ status: number; body: unknown }> {
  const { stdout } = await run('sh', ['-c', line]);
  const [head = '', body = ''] = stdout.split('\r\n\r\n');
  return { status: Number(/^HTTP\/1.1 (\d+)/.exec(head)?.[1]), body: JSON.parse(body) };
}

test('npm start answers orders, also those of the commands it prints, keeps them over restarts, and stops in order with Ctrl-C and SIGTERM', async () => {
  await using first = await npmStart();
  expect(curlLines(first)).toHaveLength(3);
  if (hasCurl) await expectToWork(curlLines(first));
  await first.request('POST', '/products', { sku: 'cup', stock: 5 });
  const { status, body: order } = await first.request('POST', '/orders', { sku: 'cup', quantity: 2 });
  expect(status).toBe(201);
  first.interrupt();
  expect(await first.ended).toEqual({ code: 0, signal: null });

  await using second = await npmStart();
  expect(await second.request('GET', `/orders/${order.id}`)).toMatchObject({ status: 200, body: order });
  expect(await second.stop()).toEqual({ code: 0, signal: null });

  await using third = await npmStart();
  expect(await third.request('GET', '/products/cup')).toMatchObject({ body: { stock: 3 } });
  third.kill('SIGINT');
  expect(await third.ended).toEqual({ code: 0, signal: null });
  await expect(third.request('GET', '/livez'), 'nothing is left running').rejects.toThrow();

  // Promised for a machine that does nothing else; tests share theirs.
  const share = Math.max(1, (loadavg()[0] ?? 0) / availableParallelism());
  expect(Math.min(second.tookMs, third.tookMs)).toBeLessThan(promisedMs * share);
}, 120_000);

/** The three commands that it prints, as they are printed. */
async function expectToWork([product = '', order = '', list = '']: readonly string[]): Promise<void> {
  expect(await pasted(product)).toMatchObject({ status: 201, body: { stock: 100 } });
  const placed = await pasted(order);
  expect(placed).toMatchObject({
    status: 201,
    body: { lines: [{ quantity: 2 }], totalCents: 3_980, status: 'placed' },
  });
  expect(await pasted(list)).toMatchObject({ status: 200, body: { items: [placed.body] } });
}
