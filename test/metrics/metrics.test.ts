import { readFileSync, writeFileSync } from 'node:fs';
import type { Declaration } from '@keelson/core/metrics';
import { prometheusLabel, prometheusName } from '@keelson/metrics-prometheus';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { declaredMetrics } from './declared-metrics.js';
import { type Family, familiesOf, familyOf } from './exposition.js';
import { type MeasuredOrders, openMetrics, startMeasuredOrders } from './measured-orders.js';
import { begin, end, tablesOf, typeOf } from './metrics-page.js';
import { alertRules, dashboardExpressions, namesIn } from './promql.js';

const page = new URL('../../docs/metrics.md', import.meta.url);

let declared: readonly Declaration[];
let orders: MeasuredOrders;
let families: ReadonlyMap<string, Family>;

beforeAll(async () => {
  declared = await declaredMetrics();
  orders = await startMeasuredOrders();
  await orders.use();
  await orders.rehearseOutage();
  await orders.use();
  families = familiesOf(await orders.scrape());
}, 90_000);

afterAll(() => orders?.[Symbol.asyncDispose]());

/** Metrics that the orders service has no part for. */
const elsewhere = (name: string) => /^(db\.client\.notifications|credentials)\./.test(name);

test('docs/metrics.md has the tables of what is declared', () => {
  const text = readFileSync(page, 'utf8');
  const [before = '', rest = ''] = text.split(begin);
  const [, after = ''] = rest.split(end);
  const written = `${before}${begin}\n${tablesOf(declared)}\n${end}${after}`;
  if (process.env.KEELSON_WRITE_PAGES === '1') writeFileSync(page, written);
  expect(readFileSync(page, 'utf8')).toBe(written);
});

describe('the orders service after requests and an outage', () => {
  test('shows each metric that is documented', () => {
    const expected = declared.filter(({ options }) => !elsewhere(options.name));
    const missing = expected.filter(({ kind, options }) => !families.has(prometheusName(kind, options)));
    expect(missing.map(({ options }) => options.name)).toEqual([]);
    for (const declaration of expected) {
      const family = families.get(prometheusName(declaration.kind, declaration.options));
      expect([family?.type, family?.help]).toEqual([typeOf(declaration), declaration.options.description]);
    }
  });

  test('shows no metric and no label that is not', () => {
    const known = new Map(declared.map(({ kind, options }) => [prometheusName(kind, options), options.labels ?? []]));
    expect([...families.keys()].filter(name => !known.has(name))).toEqual(['target_info']);
    for (const { name, labels } of families.values()) {
      const expected = name === 'target_info' ? ['service_name'] : (known.get(name) ?? []).map(prometheusLabel);
      expect([...labels].filter(label => !expected.includes(label))).toEqual([]);
    }
  });

  test('has values for what happened', () => {
    const sample = (pattern: RegExp) =>
      [...families.values()].flatMap(({ samples }) => samples).find(line => pattern.test(line));
    const happened = [
      /^http_server_request_duration_seconds_count\{http_request_method="POST",http_route="\/orders",http_response_status_code="201"\} [2-9]/,
      /^http_server_request_duration_seconds_count\{http_request_method="POST",http_route="\/orders",http_response_status_code="409"\} [2-9]/,
      /^http_server_request_duration_seconds_count\{http_request_method="GET",http_response_status_code="404"\} [2-9]/,
      /^http_client_request_duration_seconds_count\{target="prices",http_request_method="GET",http_response_status_code="200"\} [2-9]/,
      /^db_client_operation_duration_seconds_count\{.*keelson_session_outcome="committed"\} [1-9]/,
      /^db_client_transactions_total\{.*keelson_session_outcome="committed"\} [1-9]/,
      /^db_client_connection_opened_total\{.*\} [2-9]/,
      /^db_client_connection_create_time_seconds_count\{.*\} [1-9]/,
      /^db_client_state\{.*state="connected"\} 1$/,
      /^resilience_circuit_breaker_moves_total\{target="database",state="open"\} [1-9]/,
      /^resilience_circuit_breaker_state\{target="database",state="closed"\} 1$/,
      /^health_check_status\{check="database",status="(pass|warn|fail)"\} 1$/,
      /^process_cpu_time_seconds_total\{cpu_mode="user"\} \d/,
      /^target_info\{service_name="orders"\} 1$/,
    ];
    for (const pattern of happened) expect(sample(pattern), String(pattern)).toBeDefined();
  });

  test('shows the same in OpenMetrics', async () => {
    const text = await orders.scrape(openMetrics);
    expect(text.endsWith('\n# EOF\n')).toBe(true);
    const names = [...text.matchAll(/^# TYPE (\S+) (\w+)$/gm)].map(([, name, type]) =>
      type === 'counter' ? `${name}_total` : name,
    );
    expect(names).toEqual([...families.keys()]);
  });

  test('counts neither probes nor scrapes among its requests', () => {
    const routes = families.get('http_server_request_duration_seconds')?.samples.join('\n') ?? '';
    expect(routes).not.toMatch(/readyz|metrics/);
  });
});

/** Of Prometheus itself. */
const ofPrometheus = ['job', 'instance', 'le', 'otel_metric_overflow'];

describe('the alerts and the dashboard', () => {
  const expressions = () => [
    ...alertRules().map(({ alert, expr }) => ({ where: alert, expr })),
    ...dashboardExpressions(),
  ];

  test('use metrics that the service shows, and labels that these have', () => {
    const known = new Map(declared.map(({ kind, options }) => [prometheusName(kind, options), options]));
    const wrong: string[] = [];
    for (const { where, expr } of expressions()) {
      const { metrics, labels } = namesIn(expr);
      const allowed = new Set(ofPrometheus);
      for (const name of metrics) {
        if (name === 'up') continue;
        const documented = known.get(name) ?? known.get(name.replace(/_(bucket|sum|count)$/, ''));
        const isShown = familyOf(families, name) !== undefined || elsewhere(documented?.name ?? '');
        if (documented === undefined || !isShown) wrong.push(`${where}: ${name}`);
        for (const label of documented?.labels ?? []) allowed.add(prometheusLabel(label));
      }
      for (const label of labels) if (!allowed.has(label)) wrong.push(`${where}: the label ${label}`);
    }
    expect(wrong).toEqual([]);
    expect(expressions().length).toBeGreaterThan(50);
  });

  test('the check finds a name, a label and a text that are wrong', () => {
    expect(namesIn('sum by (a) (rate(x_total{b=~"c"}[5m])) / on (d) y')).toEqual({
      metrics: new Set(['x_total', 'y']),
      labels: new Set(['a', 'b', 'd']),
    });
    expect(() => namesIn('sum by (a) (rate(x_total[5m])')).toThrow('not PromQL');
  });
});
