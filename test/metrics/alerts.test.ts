import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { findProgram } from '@keelson/test-support/daemon';
import { eventually } from '@keelson/test-support/eventually';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { alertCases } from './alert-cases.js';
import { startMeasuredOrders } from './measured-orders.js';
import { hasPrometheus, rulesFile, startPrometheus } from './prometheus-server.js';
import { alertRules } from './promql.js';

const promtool = findProgram('promtool');

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'keelson-prometheus-'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

async function check(...words: string[]): Promise<string> {
  const run = promisify(execFile)(promtool ?? 'promtool', words);
  return run
    .then(({ stdout }) => stdout)
    .catch(({ stdout, stderr }) => Promise.reject(new Error(`${stdout}${stderr}`)));
}

test('each alert has a case that fires it, and one that does not', () => {
  expect(Object.keys(alertCases).sort()).toEqual(
    alertRules()
      .map(({ alert }) => alert)
      .sort(),
  );
});

describe.skipIf(promtool === undefined)('by promtool of Prometheus', () => {
  test('the rules and the configuration are valid', async () => {
    expect(await check('check', 'rules', rulesFile)).toContain(`SUCCESS: ${alertRules().length} rules found`);
    await check('check', 'config', fileURLToPath(new URL('../../deploy/prometheus/prometheus.yaml', import.meta.url)));
  });

  test('each alert fires when it should, and not otherwise', async () => {
    const cases = Object.entries(alertCases).flatMap(([alert, { fires, quiet }]) => [
      { alert, job: `${alert} fires`, series: fires, isFiring: true },
      { alert, job: `${alert} is quiet`, series: quiet, isFiring: false },
    ]);
    // All in one, each as a service of its own: promtool makes a database for each test.
    const tests = [
      {
        interval: '1m',
        input_series: cases.flatMap(({ job, series }) =>
          series.map(([each, values]) => ({ series: each.replace('job="orders"', `job="${job}"`), values })),
        ),
        promql_expr_test: cases.map(({ alert, job, isFiring }) => ({
          expr: `count by (job) (ALERTS{alertname="${alert}",alertstate="firing",job="${job}"})`,
          eval_time: '40m',
          exp_samples: isFiring ? [{ labels: `{job="${job}"}`, value: 1 }] : [],
        })),
      },
    ];
    const file = join(directory, 'alerts.test.yaml');
    writeFileSync(file, stringify({ rule_files: [rulesFile], evaluation_interval: '1m', tests }));
    expect(await check('test', 'rules', file)).toContain('SUCCESS');
  });
});

const patiently = { timeoutMs: 30_000 };

describe.skipIf(!hasPrometheus)('by a Prometheus that scrapes the orders service', () => {
  test('no alert fires on an ordinary day, and those of an outage do', async () => {
    await using orders = await startMeasuredOrders();
    await using server = await startPrometheus(orders.adminPort, directory);
    await orders.use();
    await eventually(
      async () => expect(await server.targets()).toMatchObject([{ health: 'up', lastError: '' }]),
      patiently,
    );
    await eventually(
      async () => expect(await server.query('http_server_request_duration_seconds_count')).toBeGreaterThan(2),
      patiently,
    );
    expect(await server.firing()).toEqual([]);

    await orders.proxy.setMode('refuse');
    orders.proxy.cut();
    const controller = new AbortController();
    const load = (async () => {
      while (!controller.signal.aborted) {
        const asked = Array.from({ length: 4 }, () =>
          fetch(`${orders.service.url}/orders`, {
            signal: AbortSignal.any([controller.signal, AbortSignal.timeout(1_000)]),
          }),
        );
        await Promise.allSettled(asked);
      }
    })();
    const seen = new Set<string>();
    await eventually(async () => {
      for (const alert of await server.firing()) seen.add(alert);
      expect([...seen]).toEqual(expect.arrayContaining(['DatabaseDown', 'BreakerOpen', 'ServiceNotReady']));
    }, patiently);
    controller.abort();
    await load;

    await orders.proxy.setMode('pass');
    await eventually(async () => {
      await orders.service.request('GET', '/orders');
      expect(await server.firing()).not.toEqual(expect.arrayContaining(['DatabaseDown']));
    }, patiently);
    await eventually(async () => {
      await orders.service.request('GET', '/orders');
      expect(await server.firing()).toEqual([]);
    }, patiently);

    await orders.service.stop();
    await eventually(async () => expect(await server.firing()).toContain('ServiceDown'), patiently);
  }, 150_000);
});
