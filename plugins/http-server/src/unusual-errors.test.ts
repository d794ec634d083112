import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { Harness, problemFrom } from './harness.fixture.js';
import { Router } from './server-under-test.fixture.js';

let harness: Harness;

beforeEach(async () => {
  harness = await new Harness().ready();
});
afterEach(() => harness.stop());

function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

const unusual: [string, unknown][] = [
  ['zero', 0],
  ['false', false],
  ['an empty text', ''],
  ['a symbol', Symbol('thrown')],
  ['a revoked proxy', revoked()],
  ['an error whose code cannot be read', unreadable('code')],
  ['an error whose status cannot be read', unreadable('status')],
];

function unreadable(name: string): Error {
  return Object.defineProperty(new Error('a getter'), name, {
    get() {
      throw new Error('the getter failed');
    },
  });
}

test.each(unusual)(
  'a handler that throws %s gets the problem of any other error, logged and captured once',
  async (_what, thrown) => {
    const routes = Router().get('/', () => {
      throw thrown;
    });
    harness.http.router('/throws', routes);
    const problem = await problemFrom(await fetch(`${harness.url}/throws`));
    expect([problem.status, problem.type]).toEqual([500, 'application/problem+json']);
    expect(problem.body).toMatchObject({ type: 'urn:keelson:problem:HTTP_UNEXPECTED' });
    expect(harness.telemetry.errors()).toHaveLength(1);
    await expect.poll(() => harness.logger.lines('error')).toHaveLength(1);
  },
);

test('a second error of a request is logged and captured, and not printed past the logger', async () => {
  const printed = vi.spyOn(console, 'error').mockImplementation(() => {});
  onTestFinished(() => printed.mockRestore());
  const second = new Error('second');
  harness.http.router(
    '/twice',
    Router().get('/', (_request, _response, next) => {
      next(new Error('first'));
      next(second);
    }),
  );
  expect((await fetch(`${harness.url}/twice`)).status).toBe(500);
  await expect.poll(() => harness.telemetry.errors()).toHaveLength(2);
  expect(harness.logger.find('handler failed after its answer started')).toMatchObject({ facts: { error: second } });
  expect(printed).not.toHaveBeenCalled();
});
