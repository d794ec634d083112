import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { freePort } from '@keelson/test-support/free-port';
import { OtlpReceiver } from '@keelson/test-support/otlp-receiver';
import { startService } from '@keelson/test-support/service-process';
import { expect, onTestFinished, test } from 'vitest';

const hello = fileURLToPath(new URL('../examples/hello/', import.meta.url));
const repository = fileURLToPath(new URL('../', import.meta.url));

/** The hello example with metrics, as a folder of its own; `metrics` is the one line that differs. */
async function helloWith(metrics: string, adminPort: number) {
  // Below the repository, where its packages are found.
  const directory = await mkdtemp(join(repository, 'node_modules', '.cache', 'keelson-swap-'));
  const loaded = join(await mkdtemp(join(tmpdir(), 'keelson-loaded-')), 'loaded.txt');
  onTestFinished(async () => {
    await rm(directory, { recursive: true });
    await rm(join(loaded, '..'), { recursive: true });
  });
  await copyFile(join(hello, 'dist', 'hello.plugin.js'), join(directory, 'hello.plugin.js'));
  const lines = [
    'service: hello',
    'plugins:',
    `  http: { use: "@keelson/http-express", port: "\${PORT}", admin: { port: ${adminPort} } }`,
    '  health: { use: "@keelson/health" }',
    metrics,
    '  hello: { use: "./hello.plugin.js" }',
  ];
  await writeFile(join(directory, 'keelson.yaml'), `${lines.join('\n')}\n`);
  const recorder = `
    import { appendFileSync } from 'node:fs';
    import { registerHooks } from 'node:module';
    registerHooks({ load(url, context, next) { appendFileSync(${JSON.stringify(loaded)}, url + '\\n'); return next(url, context); } });`;
  await writeFile(join(directory, 'record.mjs'), recorder);
  const variables = { NODE_OPTIONS: `--import ${pathToFileURL(join(directory, 'record.mjs'))}` };
  const service = await startService({ directory, variables });
  return { service, modules: async () => (await readFile(loaded, 'utf8')).split('\n') };
}

const ofMetrics = /metrics-prometheus|prom-client|core\/dist\/metrics\/|(http|health)-metrics\.js/;

const ofPrometheus = /metrics-prometheus|prom-client/;
/** prom-client uses the API, too. */
const ofOtlp = /metrics-otlp|@opentelemetry\/(?!api)/;

test('the same service with OTLP: the metrics of Prometheus arrive there, and none is scraped', async () => {
  const adminPort = await freePort();
  await using receiver = await OtlpReceiver.start();
  const line = `  metrics: { use: "@keelson/metrics-otlp", endpoint: "${receiver.url}" }`;
  const { service, modules } = await helloWith(line, adminPort);
  await using _running = service;
  expect(await service.request('GET', '/hello')).toMatchObject({ status: 200, body: 'Hello, world!\n' });
  expect((await fetch(`http://127.0.0.1:${adminPort}/metrics`)).status).toBe(404);
  expect(await service.stop()).toEqual({ code: 0, signal: null });
  const attributes = { 'http.request.method': 'GET', 'http.route': '/hello', 'http.response.status_code': '200' };
  const points = receiver.points.filter(({ name }) => name === 'http.server.request.duration');
  expect(points.filter(point => point.attributes['http.route'] === '/hello')).toMatchObject([{ count: 1, attributes }]);
  const refusals = receiver.points.filter(({ name }) => name === 'http.server.overload.refusals');
  expect(refusals.map(point => point.attributes.reason).toSorted()).toEqual([
    'active_requests',
    'connection_wait',
    'event_loop',
  ]);
  const loaded = await modules();
  expect([loaded.some(url => ofOtlp.test(url)), loaded.some(url => ofPrometheus.test(url))]).toEqual([true, false]);
});

test.each([
  ['Prometheus', '  metrics: { use: "@keelson/metrics-prometheus" }', true],
  ['none', '  metrics: { use: none }', false],
])('the same service with metrics: %s, by one line of its configuration', async (_name, line, isMeasured) => {
  const adminPort = await freePort();
  const { service, modules } = await helloWith(line, adminPort);
  await using _running = service;
  expect(await service.request('GET', '/hello')).toMatchObject({ status: 200, body: 'Hello, world!\n' });
  const scraped = await fetch(`http://127.0.0.1:${adminPort}/metrics`);
  expect(scraped.status).toBe(isMeasured ? 200 : 404);
  expect((await scraped.text()).includes('http_server_request_duration_seconds_count{')).toBe(isMeasured);
  expect((await fetch(`http://127.0.0.1:${adminPort}/readyz`)).status).toBe(200);
  expect(await service.stop()).toEqual({ code: 0, signal: null });
  const loaded = await modules();
  expect(loaded.some(url => ofMetrics.test(url))).toBe(isMeasured);
  expect(loaded.filter(url => ofOtlp.test(url))).toEqual([]);
});
