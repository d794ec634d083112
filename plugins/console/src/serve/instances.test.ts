import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { freePort } from '@keelson/test-support/free-port';
import { expect, onTestFinished, test } from 'vitest';
import { ConsoleHarness, fromPage } from '../harness.fixture.js';

const token = 'token-of-both-consoles';
const bearer = { authorization: `Bearer ${token}` };

test('shows instances of the configuration beside its own, asks them, and runs operations there', async () => {
  await using far = await ConsoleHarness.open({ token });
  const instances = [{ url: far.url, name: 'far' }];
  await using near = await ConsoleHarness.open({ token, instances });
  const ask = async (path: string) => JSON.parse((await near.ask(path, { headers: bearer })).body);

  expect((await ask('/api/instances')).instances).toMatchObject([
    { id: 'self', service: 'shop', phase: 'ready', readiness: 'pass' },
    { id: 'url-0', name: 'far', service: 'shop', phase: 'ready', readiness: 'pass' },
  ]);
  expect(await ask('/api/live?instance=url-0&after=0')).toMatchObject({ service: 'shop', samples: [{ number: 1 }] });

  const body = JSON.stringify({ plugin: 'retry', operation: 'release', named: { target: 'database' } });
  const sent = { method: 'POST', headers: { ...fromPage, ...bearer }, body };
  expect((await near.ask('/api/operations?instance=url-0', sent)).status).toBe(200);
  expect([near.operated.length, far.operated]).toEqual([0, [['retry', 'release', [], { target: 'database' }]]]);
});

test('instances that name each other, and themselves, show all of them at once', async () => {
  const [one, two] = [await freePort(), await freePort()];
  const instances = [one, two].map(port => ({ url: `http://127.0.0.1:${port}/console` }));
  await using first = await ConsoleHarness.open({ instances }, {}, one);
  await using second = await ConsoleHarness.open({ instances }, {}, two);
  for (const near of [first, second]) {
    expect(JSON.parse((await near.ask('/api/instances')).body).instances).toMatchObject([
      { id: 'self', phase: 'ready' },
      { id: 'url-0', phase: 'ready' },
      { id: 'url-1', phase: 'ready' },
    ]);
  }
});

test('an instance that cannot be shown has the reason beside its name, and its answer asks for no login', async () => {
  await using other = await ConsoleHarness.open({ token: 'token-of-another-one' });
  const closed = `http://127.0.0.1:${await freePort()}/console`;
  const instances = [{ url: other.url }, { url: closed, name: 'gone' }];
  await using near = await ConsoleHarness.open({ token, instances });
  const answer = await near.ask('/api/instances', { headers: bearer });
  expect(JSON.parse(answer.body).instances).toMatchObject([
    { id: 'self' },
    { id: 'url-0', name: `127.0.0.1:${other.port}`, problem: 'the token given here is not its token' },
    { id: 'url-1', name: 'gone', problem: expect.stringContaining('ECONNREFUSED') },
  ]);
  for (const id of ['url-0', 'url-1', 'pid-1', 'http://evil.example']) {
    const refused = await near.ask(`/api/live?instance=${encodeURIComponent(id)}`, { headers: bearer });
    expect([refused.status, JSON.parse(refused.body).code], id).toEqual([502, 'CONSOLE_INSTANCE_UNREACHABLE']);
  }
  expect(answer.body).not.toContain('token-of');
});

test('the login of another instance that is over is no login of this one', async () => {
  const answers: Record<string, [number, object]> = {
    '/console/api/instances?instance=self': [200, { instances: [{ id: 'self', name: 'shop', service: 'shop' }] }],
  };
  const other = createServer((request, response) => {
    const [status, answer] = answers[request.url ?? ''] ?? [401, { code: 'CONSOLE_TOKEN_REQUIRED', message: 'No.' }];
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
  });
  await new Promise<void>(resolve => other.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void other.close().closeAllConnections());
  const { port } = other.address() as AddressInfo;
  await using near = await ConsoleHarness.open({ instances: [{ url: `http://127.0.0.1:${port}/console` }] });
  expect((await near.ask('/api/live?instance=url-0')).status).toBe(502);
  const sent = { method: 'POST', headers: fromPage, body: '{}' };
  expect((await near.ask('/api/operations?instance=url-0', sent)).status).toBe(502);
});
