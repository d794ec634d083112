import { definePlugin, type HealthCheck, HealthService, silentTelemetry } from '@keelson/core';
import { createTestKernel, FakeClock, RecordingLogger } from '@keelson/core/testing';
import { MovableLifecycle } from '@keelson/test-support/movable-lifecycle';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { HealthEngine } from './health-engine.js';
import health, { healthOptions } from './index.js';
import { PlainHttpServer } from './plain-http-server.fixture.js';
import { mountProbes } from './probe-handler.js';

let clock: FakeClock;
let lifecycle: MovableLifecycle;
let logger: RecordingLogger;
let engine: HealthEngine | undefined;
let http: PlainHttpServer;
let url: string;

beforeEach(async () => {
  clock = new FakeClock();
  lifecycle = new MovableLifecycle();
  logger = new RecordingLogger();
  http = new PlainHttpServer();
  url = await http.listen();
});

/** Where the tests look at what a probe says. */
const shown = { details: 'checks' };

afterEach(async () => {
  engine?.[Symbol.dispose]();
  expect(clock.pending).toBe(0);
  await http[Symbol.asyncDispose]();
});

/** Mounts the probes of an engine, with these checks registered and looked at once. */
async function started(given: object, ...checks: HealthCheck[]): Promise<void> {
  const options = healthOptions.parse({ ...shown, ...given });
  engine = new HealthEngine(options, { clock, lifecycle, logger, telemetry: silentTelemetry });
  mountProbes(http, engine, options);
  for (const check of checks) engine.register(check);
  await clock.advance(0);
  lifecycle.move('ready');
}

interface HealthDocument {
  status: string;
  notes?: string[];
  checks: Record<string, { status: string; facts?: object }[]>;
}

async function documentOf(response: Response): Promise<HealthDocument> {
  return (await response.json()) as HealthDocument;
}

const database: HealthCheck = {
  name: 'database',
  check: async () => ({ status: 'pass', output: 'not to be shown', facts: { total: 4 } }),
};
const mail: HealthCheck = {
  name: 'mail',
  critical: false,
  check: async () => ({ status: 'fail', output: 'No answer from the mail server.' }),
};
const queue: HealthCheck = { name: 'queue', check: async () => ({ status: 'fail', output: 'The queue is full.' }) };

describe('the probes', () => {
  test('are mounted without a session, so that they answer at any time', async () => {
    await started({});
    expect(http.sessions).toEqual(['none', 'none', 'none']);
  });

  test('answer 200 when all is well, as application/health+json with no-store', async () => {
    await started({ releaseId: '4f1c2ab' }, database);
    const response = await fetch(`${url}/readyz`);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('application/health+json');
    expect(response.headers.get('cache-control')).toBe('no-store');
    expect(await documentOf(response)).toEqual({
      status: 'pass',
      releaseId: '4f1c2ab',
      checks: {
        lifecycle: [{ componentType: 'component', status: 'pass', critical: true }],
        'database:responseTime': [
          {
            componentType: 'component',
            status: 'pass',
            critical: true,
            observedValue: 0,
            observedUnit: 'ms',
            time: '2026-01-01T00:00:00.000Z',
          },
        ],
      },
    });
  });

  test('answer 200 with a warning when what fails is not critical', async () => {
    await started({}, database, mail);
    const response = await fetch(`${url}/readyz`);
    const body = await documentOf(response);
    expect([response.status, body.status]).toEqual([200, 'warn']);
    expect(body.checks['mail:responseTime']?.[0]).toMatchObject({
      status: 'fail',
      critical: false,
      output: 'No answer from the mail server.',
    });
  });

  test('answer 503 when a critical check fails', async () => {
    await started({}, queue);
    const response = await fetch(`${url}/readyz`);
    expect([response.status, (await documentOf(response)).status]).toEqual([503, 'fail']);
  });

  test('follow the lifecycle: livez always, startupz after the start, readyz between start and stop', async () => {
    const statuses = async () =>
      Promise.all(['/livez', '/startupz', '/readyz'].map(async path => (await fetch(url + path)).status));
    await started({}, database);
    lifecycle.phase = 'starting';
    expect(await statuses()).toEqual([200, 200, 503]);
    lifecycle.move('ready');
    expect(await statuses()).toEqual([200, 200, 200]);
    lifecycle.move('stopping');
    expect(await statuses()).toEqual([200, 200, 503]);
  });

  test('answer HEAD with the status and the headers alone', async () => {
    await started({}, queue);
    const response = await fetch(`${url}/readyz`, { method: 'HEAD' });
    expect(response.status).toBe(503);
    expect(response.headers.get('content-type')).toBe('application/health+json');
    expect(Number(response.headers.get('content-length'))).toBeGreaterThan(0);
    expect(await response.text()).toBe('');
  });

  test('pass on other methods and what lies below them', async () => {
    await started({});
    expect((await fetch(`${url}/livez`, { method: 'POST' })).status).toBe(404);
    expect((await fetch(`${url}/livez/nothing`)).status).toBe(404);
  });
});

describe('?verbose', () => {
  test('lists every check as the Kubernetes API server does', async () => {
    await started({}, database, mail, queue);
    const response = await fetch(`${url}/readyz?verbose`);
    expect(response.status).toBe(503);
    expect(response.headers.get('content-type')).toBe('text/plain; charset=utf-8');
    expect(await response.text()).toBe(
      [
        '[+]lifecycle ok',
        '[+]database ok',
        '[-]mail failed: No answer from the mail server.',
        '[-]queue failed: The queue is full.',
        'readyz check failed',
        '',
      ].join('\n'),
    );
  });

  test('says of livez that it passed', async () => {
    await started({});
    expect(await (await fetch(`${url}/livez?verbose`)).text()).toBe('livez check passed\n');
  });
});

describe('?exclude', () => {
  test('leaves checks out of the verdict and says so', async () => {
    await started({}, database, queue);
    const response = await fetch(`${url}/readyz?exclude=queue&exclude=database&verbose`);
    expect(response.status).toBe(200);
    expect(await response.text()).toBe(
      '[+]lifecycle ok\n[+]database excluded: ok\n[+]queue excluded: ok\nreadyz check passed\n',
    );
    const json = await documentOf(await fetch(`${url}/readyz?exclude=queue`));
    expect([json.status, Object.keys(json.checks)]).toEqual(['pass', ['lifecycle', 'database:responseTime']]);
  });

  test('of an unknown name, or of the lifecycle, changes nothing and is reported, without repeating it', async () => {
    await started({}, queue);
    lifecycle.phase = 'stopping';
    const response = await fetch(`${url}/readyz?exclude=lifecycle&exclude=${encodeURIComponent('<script>')}`);
    expect(response.status).toBe(503);
    expect((await documentOf(response)).notes).toEqual(['2 of the names in ?exclude= could not be excluded']);
  });
});

describe('details', () => {
  test('none: the status alone', async () => {
    await started({ details: 'none' }, queue);
    expect(await (await fetch(`${url}/readyz`)).json()).toEqual({ status: 'fail' });
    expect(await (await fetch(`${url}/readyz?verbose`)).text()).toBe('readyz check failed\n');
  });

  test('facts: the numbers behind each check', async () => {
    await started({ details: 'facts' }, database);
    const body = await documentOf(await fetch(`${url}/readyz`));
    expect(body.checks['database:responseTime']?.[0]?.facts).toEqual({ total: 4 });
  });
});

describe('the plugin', () => {
  test('works without an HTTP server, and mounts its probes on one', async () => {
    await using without = await createTestKernel({ plugins: [health] });
    expect(without.report.outcome).toBe('ready');
    await using _with = await createTestKernel({ plugins: [health], slots: { http } });
    expect(http.sessions).toHaveLength(3);
  });

  test('warns of overrides that name no check', async () => {
    const values = { health: { checks: { databse: { critical: false }, database: {} } } };
    const registering = definePlugin({
      name: 'registering',
      requires: [HealthService],
      start: ({ container }) => void container.get(HealthService).register(database),
    });
    await using service = await createTestKernel({ plugins: [health, registering], values });
    expect(service.logger.lines('warn')).toMatchObject([
      {
        message: 'health configuration names unregistered checks',
        facts: { checks: ['databse'] },
      },
    ]);
  });
});

describe('groups', () => {
  const traffic = { checks: ['database', 'queue*'] };

  test('answer at /readyz/<group> from the checks of the group alone', async () => {
    await started({ groups: { traffic: { checks: ['database'] } } }, database, queue);
    expect((await fetch(`${url}/readyz`)).status).toBe(503);
    const response = await fetch(`${url}/readyz/traffic`);
    expect(response.status).toBe(200);
    expect(Object.keys((await documentOf(response)).checks)).toEqual(['lifecycle', 'database:responseTime']);
    expect(await (await fetch(`${url}/readyz/traffic?verbose`)).text()).toBe(
      '[+]lifecycle ok\n[+]database ok\nreadyz/traffic check passed\n',
    );
  });

  test('fail with the checks that they call critical, and with the lifecycle', async () => {
    await started(
      { groups: { traffic: { ...traffic, critical: ['queue*'] }, other: { ...traffic, critical: [] } } },
      database,
      queue,
    );
    expect((await fetch(`${url}/readyz/traffic`)).status).toBe(503);
    expect((await fetch(`${url}/readyz/other`)).status).toBe(200);
    lifecycle.move('stopping');
    expect((await fetch(`${url}/readyz/other`)).status).toBe(503);
  });

  test('may fail when the service is degraded, and then say so in status and body', async () => {
    await started({ groups: { rollout: { checks: ['database', 'mail'], degraded: 'fail' } } }, database, mail);
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
    const response = await fetch(`${url}/readyz/rollout`);
    expect([response.status, (await documentOf(response)).status]).toEqual([503, 'fail']);
  });

  test('warn of a name without a check', async () => {
    await started({ groups: { traffic: { checks: ['databse'] } } }, database);
    const response = await fetch(`${url}/readyz/traffic`);
    const body = await documentOf(response);
    expect([response.status, body.status]).toEqual([200, 'warn']);
    expect(body.checks.databse?.[0]).toMatchObject({ output: 'No check of this name is registered.' });
    expect(engine?.unusedGroupMembers()).toEqual(['traffic: databse']);
  });

  test('are probes of readiness alone, and no other path is one', async () => {
    await started({ groups: { traffic } }, database);
    for (const path of ['/readyz/nosuch', '/readyz/toString', '/livez/traffic', '/readyz/traffic/more']) {
      expect((await fetch(url + path)).status).toBe(404);
    }
  });
});

describe('a degraded service', () => {
  test('is ready, and names what keeps it from passing', async () => {
    await started({}, database, mail);
    expect(await (await fetch(`${url}/readyz`)).json()).toMatchObject({ status: 'warn', degraded: ['mail'] });
    expect(await (await fetch(`${url}/readyz?verbose`)).text()).toContain('readyz check passed, degraded by mail\n');
  });
});

describe('where the details are', () => {
  test('nowhere, by default, on a port that clients reach: pass or fail', async () => {
    await started({ details: undefined }, database, mail);
    expect(await (await fetch(`${url}/readyz`)).json()).toEqual({ status: 'warn' });
    expect(await (await fetch(`${url}/readyz?verbose`)).text()).toBe('readyz check passed\n');
  });
});
