import { RecordingMetrics } from '@keelson/core/testing';
import { eventually } from '@keelson/test-support/eventually';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Harness } from './harness.fixture.js';
import { Router } from './server-under-test.fixture.js';

let harness: Harness;
let metrics: RecordingMetrics;

beforeEach(async () => {
  metrics = new RecordingMetrics();
  harness = await new Harness().start();
  await harness.server.measure(metrics);
  harness.letIn();
});
afterEach(() => harness.stop());

const requests = () =>
  metrics
    .series('http.server.request.duration')
    .map(({ labels = {} }) => [
      labels['http.request.method'],
      labels['http.route'],
      labels['http.response.status_code'],
      labels['error.type'],
    ]);
const refused = (reason: string) => metrics.value('http.server.refused_requests', { reason });

test('requests are measured by method, route template, status and error, and never by their path', async () => {
  const items = Router()
    .get('/:id', (_request, response) => void response.end('an item'))
    .put('/:id', (_request, response) => void response.status(409).end())
    .delete('/:id', () => {
      throw new Error('of the handler');
    });
  harness.http.router('/items', items);
  for (const method of ['GET', 'GET', 'PUT', 'DELETE']) await fetch(`${harness.url}/items/secret-7`, { method });
  await fetch(`${harness.url}/no/such/secret-8?token=9`);
  await eventually(() => expect(requests()).toHaveLength(5));
  expect(requests()).toEqual([
    ['GET', '/items/:id', '200', undefined],
    ['GET', '/items/:id', '200', undefined],
    ['PUT', '/items/:id', '409', undefined],
    ['DELETE', '/items/:id', '500', 'HTTP_UNEXPECTED'],
    ['GET', undefined, '404', undefined],
  ]);
  const [first, second] = metrics.series('http.server.request.duration');
  expect(first?.value).toBeGreaterThan(0);
  expect(second?.labels).toEqual(first?.labels);
});

test('an unknown method is _OTHER', async () => {
  harness.http.router('/any', (_request, response) => void response.end());
  await fetch(`${harness.url}/any`, { method: 'PROPFIND' });
  await eventually(() => expect(requests()).toEqual([['_OTHER', '/any', '200', undefined]]));
});

test('a client that disconnects has no status, and requests that run are counted', async () => {
  const { arrived, open } = harness.slowRoute('slow');
  const leaving = new AbortController();
  const left = fetch(`${harness.url}/slow`, { signal: leaving.signal }).catch(() => {});
  await arrived;
  expect(metrics.value('http.server.active_requests')).toBe(1);
  leaving.abort();
  await left;
  await eventually(() => expect(requests()).toEqual([['GET', '/slow', undefined, 'client_disconnected']]));
  expect(metrics.value('http.server.active_requests')).toBe(0);
  open();
});

test('an answer that was cut in its middle has its error beside the status that has left', async () => {
  harness.http.router('/rows', (_request, response) => {
    response.write('half');
    return Promise.reject(new RangeError('half-way'));
  });
  await fetch(`${harness.url}/rows`)
    .then(answer => answer.text())
    .catch(() => {});
  await eventually(() => expect(requests()).toEqual([['GET', '/rows', '200', 'RangeError']]));
});

test('probes are not measured', async () => {
  harness.http.router('/probe', (_request, response) => void response.end(), { session: 'none' });
  await fetch(`${harness.url}/probe`);
  await fetch(`${harness.url}/other`);
  await eventually(() => expect(requests()).toEqual([['GET', undefined, '404', undefined]]));
});

test('refused requests are counted by reason: not ready, stopping, malformed', async () => {
  await using starting = await new Harness().start();
  await starting.server.measure(metrics);
  expect((await fetch(`${starting.url}/any`)).status).toBe(503);
  await eventually(() => expect(refused('HTTP_NOT_READY')).toBe(1));
  expect(refused('HTTP_STOPPING')).toBe(0);
  await (await harness.connect()).send('NONSENSE\r\n\r\n').until(({ received }) => received.includes('400'));
  expect(refused('HTTP_REQUEST_MALFORMED')).toBe(1);
});

test('it ends with the server', async () => {
  await harness.stop();
  expect(metrics.value('http.server.active_requests')).toBeUndefined();
});
