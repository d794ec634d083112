import { expect, test } from 'vitest';
import { prometheusLabel, prometheusName } from './prometheus-name.js';

test.each([
  ['histogram', 'http.server.request.duration', 's', 'http_server_request_duration_seconds'],
  ['counter', 'resilience.retries', '{attempt}', 'resilience_retries_total'],
  ['counter', 'process.cpu.time', 's', 'process_cpu_time_seconds_total'],
  ['counter', 'requests.total', '{request}', 'requests_total'],
  ['counter', 'share', '1', 'share_total'],
  ['gauge', 'process.memory.usage', 'By', 'process_memory_usage_bytes'],
  ['gauge', 'nodejs.eventloop.utilization', '1', 'nodejs_eventloop_utilization_ratio'],
  ['gauge', 'db.client.connection.count', '{connection}', 'db_client_connection_count'],
  ['gauge', 'disk.speed', 'MBy/s', 'disk_speed_megabytes_per_second'],
  ['gauge', 'queue.speed', '{item}/s', 'queue_speed_per_second'],
  ['gauge', 'wait.seconds', 's', 'wait_seconds'],
  ['gauge', 'seconds.left', 's', 'seconds_left_seconds'],
  ['gauge', '(odd)..name#', 'parrot', 'odd_name_parrot'],
  ['gauge', '2xx', '', '_2xx'],
] as const)('a %s %s in %s is %s', (kind, name, unit, expected) => {
  expect(prometheusName(kind, { name, unit, description: '' })).toBe(expected);
});

test('a gauge of a sum is named as a counter', () => {
  expect(prometheusName('gauge', { name: 'a.b', unit: 's', description: '', monotonic: true })).toBe(
    'a_b_seconds_total',
  );
});

test.each([
  ['http.route', 'http_route'],
  ['a--b', 'a_b'],
  ['2nd', 'key_2nd'],
])('the label %s is %s', (name, expected) => {
  expect(prometheusLabel(name)).toBe(expected);
});
