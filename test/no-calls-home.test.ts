import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { copyEmptyPglite } from '@keelson/test-support/empty-pglite';
import { ObservedProcess, personalVariables } from '@keelson/test-support/observed-process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const root = fileURLToPath(new URL('../', import.meta.url));
const keelson = join(root, 'core/bin/keelson.js');
const preload = new URL('./support/record-connections.mjs', import.meta.url).href;

/** This machine. */
const own = new Set(['127.0.0.1', '::1', 'localhost', '0.0.0.0', '::']);

describe('a connection that no configuration names', () => {
  let place: string;
  let service: string;
  let file: string;
  let files = 0;

  beforeAll(async () => {
    place = mkdtempSync(join(tmpdir(), 'keelson-calls-'));
    // A PostgreSQL server that may not run as root has its data below.
    chmodSync(place, 0o755);
    await copyEmptyPglite(data());
  }, 120_000);
  afterAll(() => rmSync(place, { recursive: true, force: true }), 60_000);

  const variables = (more: Readonly<Record<string, string>> = {}) => {
    file = join(place, `${++files}.txt`);
    const PORT = '0';
    return {
      ...personalVariables(),
      NODE_OPTIONS: `--import=${preload}`,
      RECORDED_CONNECTIONS: file,
      PORT,
      ...more,
    };
  };
  const others = () =>
    existsSync(file)
      ? readFileSync(file, 'utf8')
          .split('\n')
          .filter(target => target !== '' && !own.has(target))
      : [];
  /** For the orders service: its own folder may be in use. */
  const data = () => join(place, 'data');
  const node = (...words: string[]) =>
    spawnSync(process.execPath, words, {
      cwd: service ?? place,
      env: variables({ KEELSON_DATABASE__DATA_DIR: data() }),
      encoding: 'utf8',
    });

  test('is seen by this test', () => {
    node('-e', "fetch('http://home.invalid').catch(() => {})");
    expect(others()).toContain('home.invalid');
    node('-e', "require('node:net').connect(9, '192.0.2.1').on('error', () => {}).destroy()");
    expect(others()).toContain('192.0.2.1');
    node('-e', "require('node:dns').resolveTxt('home.invalid', () => {})");
    expect(others()).toContain('home.invalid');
  });

  test('is not opened by npm create keelson', () => {
    const { status } = node(join(root, 'core/create-keelson/bin/create-keelson.js'), 'shop', '--yes');
    expect(status).toBe(0);
    expect(others()).toEqual([]);
    service = join(place, 'shop');
    symlinkSync(join(root, 'node_modules'), join(service, 'node_modules'), 'junction');
  });

  test('is not opened by keelson dev and the service that it runs, beyond what its own code asks for', async () => {
    appendFileSync(join(service, 'src/notes.plugin.ts'), "fetch('http://asked-for.invalid').catch(() => undefined);\n");
    const dev = new ObservedProcess(process.execPath, [keelson, 'dev'], { directory: service, variables: variables() });
    await using running = dev;
    await running.until(/\[dev\] ready in/);
    expect((await running.request('POST', '/notes', { text: 'Stays here' })).status).toBe(201);
    expect(await running.interrupt()).toBe(0);
    expect(new Set(others())).toEqual(new Set(['asked-for.invalid']));
  }, 180_000);

  test('is not opened by keelson dev --postgres', async () => {
    const words = [keelson, 'dev', '--postgres'];
    await using running = new ObservedProcess(process.execPath, words, { directory: service, variables: variables() });
    await running.until(/\[dev\] ready in/);
    expect((await running.request('POST', '/notes', { text: 'Stays here' })).status).toBe(201);
    expect(await running.interrupt()).toBe(0);
    expect(new Set(others())).toEqual(new Set(['asked-for.invalid']));
  }, 180_000);

  test.each([
    {
      name: 'Sentry, Prometheus',
      telemetry: '@keelson/telemetry-sentry',
      metrics: '@keelson/metrics-prometheus',
      options: (port: number) => ({ KEELSON_TELEMETRY__DSN: `http://key@127.0.0.1:${port}/1` }),
      paths: ['/api/1/envelope/'],
    },
    {
      name: 'OTLP',
      telemetry: '@keelson/telemetry-otel',
      metrics: '@keelson/metrics-otlp',
      options: (port: number) => ({
        KEELSON_TELEMETRY__ENDPOINT: `http://127.0.0.1:${port}`,
        KEELSON_METRICS__ENDPOINT: `http://127.0.0.1:${port}`,
      }),
      paths: ['/v1/metrics', '/v1/traces'],
    },
  ])(
    'is not opened by a service that sends to a collector: $name',
    async ({ telemetry, metrics, options, paths }) => {
      const asked = new Set<string | undefined>();
      const collector = createServer((request, response) => {
        asked.add(request.url?.split('?')[0]);
        request.resume().on('end', () => response.end('{}'));
      }).listen(0, '127.0.0.1');
      await once(collector, 'listening');
      const chosen = {
        KEELSON_TELEMETRY__USE: telemetry,
        KEELSON_METRICS__USE: metrics,
        ...options((collector.address() as AddressInfo).port),
      };
      try {
        const given = { directory: service, variables: variables(chosen) };
        await using running = new ObservedProcess(process.execPath, [keelson, 'dev'], given);
        await running.until(/\[dev\] ready in/);
        expect((await running.request('POST', '/notes', { text: 'Sends a trace' })).status).toBe(201);
        expect(await running.interrupt()).toBe(0);
      } finally {
        collector.closeAllConnections();
        collector.close();
      }
      expect([...asked].toSorted()).toEqual(paths);
      expect(new Set(others())).toEqual(new Set(['asked-for.invalid']));
    },
    180_000,
  );

  test.each([
    'check',
    'explain',
    'graph',
    'schema',
    'doctor',
    'status',
    'migrate status',
    'bundle',
    '--version',
    '--help',
  ])(
    'is not opened by keelson %s',
    words => {
      const sources = words === 'bundle' ? [] : ['--config', join(root, 'examples/orders/keelson.yaml')];
      node(keelson, ...words.split(' '), ...(words.startsWith('--') ? [] : sources));
      expect(others()).toEqual([]);
    },
    120_000,
  );
});
