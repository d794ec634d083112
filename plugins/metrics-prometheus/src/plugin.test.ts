import { HttpServer, Logger, Metrics, type Plugin, Telemetry } from '@keelson/core';
import { RecordingLogger, RecordingTelemetry } from '@keelson/core/testing';
import http from '@keelson/http-express';
import { filling } from '@keelson/test-support/filling';
import { startKernel } from '@keelson/test-support/start-kernel';
import { expect, onTestFinished, test } from 'vitest';
import metrics, { type MetricsPrometheusOptions } from './index.js';

const onLoopback = { port: 0, host: '127.0.0.1' };

interface ServiceOptions {
  readonly admin?: boolean;
  readonly telemetry?: Plugin;
  readonly metrics?: Partial<MetricsPrometheusOptions>;
}

async function serviceWith({ admin = false, telemetry, metrics: own = {} }: ServiceOptions = {}) {
  const logger = new RecordingLogger();
  const kernel = await startKernel({
    service: 'shop',
    plugins: { http, metrics, logger: filling('logger', Logger, logger), ...(telemetry && { telemetry }) },
    values: { http: { ...onLoopback, ...(admin && { admin: onLoopback }) }, metrics: own },
  });
  onTestFinished(async () => void (await kernel.stop()));
  const { url = '', adminUrl = '' } = kernel.container.get(HttpServer);
  return { kernel, logger, url, adminUrl };
}

const statusOf = async (url: string) => (await fetch(url)).status;

test('metrics are served on the admin port, and not on that of the API', async () => {
  const { kernel, url, adminUrl, logger } = await serviceWith({ admin: true });
  const counted = { name: 'shop.orders', description: 'Orders taken', unit: '{order}' };
  kernel.container.get(Metrics).counter(counted).add(3);
  const response = await fetch(`${adminUrl}/metrics`);
  const text = await response.text();
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
  expect(response.headers.get('cache-control')).toBe('no-store');
  expect(text).toContain(
    '# HELP shop_orders_total Orders taken\n# TYPE shop_orders_total counter\nshop_orders_total 3\n',
  );
  expect(text).toContain('target_info{service_name="shop"} 1\n');
  for (const name of [
    'process_cpu_time_seconds_total',
    'nodejs_eventloop_delay_p99_seconds',
    'v8js_gc_duration_seconds',
  ])
    expect(text).toContain(`# TYPE ${name} `);
  expect(await statusOf(`${url}/metrics`)).toBe(404);
  expect(await statusOf(`${adminUrl}/metrics/more`)).toBe(404);
  const posted = await fetch(`${adminUrl}/metrics`, { method: 'POST' });
  expect(posted.status).toBe(404);
  const head = await fetch(`${adminUrl}/metrics`, { method: 'HEAD' });
  expect([head.status, await head.text()]).toEqual([200, '']);
  expect(logger.find('metrics are served')?.facts).toMatchObject({ url: `${adminUrl}/metrics` });
  expect((await kernel.status()).plugins.find(({ key }) => key === 'metrics')).toMatchObject({
    findings: [{ name: 'series', status: 'pass' }],
  });
});

test('a scraper that asks for OpenMetrics gets it', async () => {
  const { adminUrl } = await serviceWith({ admin: true });
  const accept = 'application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5';
  const response = await fetch(`${adminUrl}/metrics`, { headers: { accept } });
  expect(response.headers.get('content-type')).toBe('application/openmetrics-text; version=1.0.0; charset=utf-8');
  expect((await response.text()).endsWith('# EOF\n')).toBe(true);
});

test('without an admin port they are served only when the configuration says so', async () => {
  const closed = await serviceWith();
  expect(await statusOf(`${closed.url}/metrics`)).toBe(404);
  expect(closed.logger.find('metrics are not served')).toMatchObject({ level: 'warn' });
  const open = await serviceWith({ metrics: { public: true, path: '/internal/metrics' } });
  expect(await statusOf(`${open.url}/internal/metrics`)).toBe(200);
  expect(await statusOf(`${open.url}/metrics`)).toBe(404);
});

test('two services of one process have metrics of their own, also of the same names', async () => {
  const [first, second] = [await serviceWith({ admin: true }), await serviceWith({ admin: true })];
  const counted = { name: 'shop.orders', description: 'Orders', unit: '{order}' };
  first.kernel.container.get(Metrics).counter(counted).add(1);
  second.kernel.container.get(Metrics).counter(counted).add(2);
  const read = async (url: string) =>
    /^shop_orders_total (\d+)$/m.exec(await (await fetch(`${url}/metrics`)).text())?.[1];
  expect([await read(first.adminUrl), await read(second.adminUrl)]).toEqual(['1', '2']);
  await first.kernel.stop();
  expect(await read(second.adminUrl)).toBe('2');
});

test('recorded traces of the slot telemetry are in OpenMetrics, and looked for nowhere else', async () => {
  const recording = new RecordingTelemetry();
  const telemetry = filling('telemetry', Telemetry, recording);
  const timed = { name: 'shop.wait', description: 'Waits', unit: 's' };
  const scraped = async (service: Awaited<ReturnType<typeof serviceWith>>) => {
    const histogram = service.kernel.container.get(Metrics).histogram(timed);
    await recording.span({ name: 'test', operation: 'test' }, async () => histogram.record(0.2));
    const continues = { traceparent: `00-${'c'.repeat(32)}-${'d'.repeat(16)}-00` };
    await recording.span({ name: 'test', operation: 'test', continues }, async () => histogram.record(2));
    const headers = { accept: 'application/openmetrics-text' };
    return (await fetch(`${service.adminUrl}/metrics`, { headers })).text();
  };
  const traced = await scraped(await serviceWith({ admin: true, telemetry }));
  const exemplars = [...traced.matchAll(/# \{trace_id="(\w+)"\}/g)].map(([, id]) => id);
  expect(exemplars).toEqual([recording.spans()[0]?.traceId]);
  expect(await scraped(await serviceWith({ admin: true }))).not.toContain('trace_id');
  const off = await serviceWith({ admin: true, telemetry, metrics: { exemplars: false } });
  expect(await scraped(off)).not.toContain('trace_id');
});
