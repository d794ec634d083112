import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { eventually } from '@keelson/test-support/eventually';
import { freePort } from '@keelson/test-support/free-port';
import { guard, release } from '@keelson/test-support/guardian';
import { applicationRole } from '@keelson/test-support/postgres-server';
import { startReplicatedPostgres } from '@keelson/test-support/replication';
import { startService } from '@keelson/test-support/service-process';
import { startTcpProxy } from '@keelson/test-support/tcp-proxy';
import { expect, onTestFinished, test } from 'vitest';
import { hasPrometheus, startPrometheus } from './prometheus-server.js';
import { alertRules } from './promql.js';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** It takes a minute, and alerts.test.ts has a case of each alert. */
const isRehearsed = hasPrometheus && process.env.REHEARSE_ALERTS !== undefined;

function folder(): string {
  const directory = mkdtempSync(join(tmpdir(), 'keelson-rehearsal-'));
  guard(directory);
  onTestFinished(() => {
    rmSync(directory, { recursive: true, force: true });
    release(directory);
  });
  symlinkSync(join(root, 'node_modules'), join(directory, 'node_modules'));
  return directory;
}

test.skipIf(!isRehearsed)('each alert fires in its trouble, seen by a Prometheus', { timeout: 240_000 }, async () => {
  const directory = folder();
  const adminPort = await freePort();
  await using pair = await startReplicatedPostgres();
  const url = await pair.primary.createDatabase('troubled');
  await using proxy = await startTcpProxy({ to: url });
  const replica = new URL(url);
  replica.port = String(pair.standby.port);
  const credential = { password: applicationRole.password, expiresAt: new Date(Date.now() + 250_000).toISOString() };
  writeFileSync(join(directory, 'credential.json'), JSON.stringify(credential), { mode: 0o600 });
  const config = {
    service: 'troubled',
    plugins: {
      logger: { use: '@keelson/logger-pino', level: 'error' },
      credentials: { use: '@keelson/credentials-file', path: join(directory, 'credential.json') },
      metrics: { use: '@keelson/metrics-prometheus', maxSeries: 100 },
      database: {
        use: '@keelson/database-postgresql',
        url: proxy.url().replace(/:[^:@/]+@/, '@'),
        replicas: { urls: [replica.href.replace(/:[^:@/]+@/, '@')], checkIntervalMs: 200 },
        commitProof: 'none',
        session: { timeoutMs: 4_000 },
        pool: { max: 2, acquireTimeoutMs: 1_500, pingTimeoutMs: 500, leakAfterMs: 400 },
      },
      retry: { use: '@keelson/retry-opossum' },
      health: { use: '@keelson/health', checks: { database: { intervalMs: 500 } } },
      http: {
        use: '@keelson/http-express',
        port: 0,
        host: '127.0.0.1',
        overload: { maxActive: 12 },
        admin: { port: adminPort, host: '127.0.0.1' },
      },
      troubled: { use: join(root, 'test/metrics/troubled.plugin.ts') },
    },
    shutdown: { noticeMs: 0 },
  };
  writeFileSync(join(directory, 'keelson.yaml'), JSON.stringify(config));
  await using service = await startService({
    directory,
    variables: { NODE_OPTIONS: '--max-old-space-size=160' },
  });
  await using server = await startPrometheus(adminPort, directory);
  await eventually(async () => expect(await server.targets()).toMatchObject([{ health: 'up' }]), { timeoutMs: 30_000 });

  const seen = new Set<string>();
  const ask = (method: string, path: string) =>
    fetch(`${service.url}${path}`, { method, signal: AbortSignal.timeout(8_000) }).then(
      answer => answer.text(),
      () => '',
    );
  /** So many clients make the trouble without a pause, until these alerts have been seen. */
  const during = async (alerts: readonly string[], clients: number, trouble: () => Promise<unknown>) => {
    let isOver = false;
    const troubles = Array.from({ length: clients }, async () => {
      while (!isOver) await trouble();
    });
    const areSeen = async () => {
      for (const alert of await server.firing()) seen.add(alert);
      expect([...seen]).toEqual(expect.arrayContaining([...alerts]));
    };
    try {
      await eventually(areSeen, { timeoutMs: 60_000, intervalMs: 100, that: alerts.join(', ') });
    } finally {
      isOver = true;
      await Promise.all(troubles);
    }
  };

  await during(['CredentialExpires'], 1, () => ask('GET', '/read'));
  await during(['RequestsFail'], 2, () => ask('GET', '/broken'));
  await during(['RequestsSlow'], 8, () => ask('GET', '/slow'));
  await during(['ServiceOverloaded'], 14, () => ask('GET', '/slow'));
  await during(['PoolExhausted', 'PoolTimeouts', 'ConnectionsLeaked'], 8, () => ask('GET', '/hold'));
  await during(['EventLoopLate'], 1, () => ask('GET', '/block'));
  await during(['JobFails'], 1, () => ask('GET', '/job'));
  await during(['SeriesOverflow'], 1, () => ask('GET', '/series'));
  await during(['CommitsUnknown'], 1, async () => {
    const lost = proxy.onceAtCommit('before');
    await ask('POST', '/write');
    await lost;
  });
  await during(['RetriesMany'], 1, async () => {
    const cut = ask('POST', '/repeatable');
    await sleep(100);
    proxy.cut();
    await cut;
    for (let request = 0; request < 4; request++) await ask('POST', '/repeatable');
  });
  await pair.pauseReplay();
  await during(['ReplicaBehind'], 1, () => ask('POST', '/write'));
  await pair.resumeReplay();
  await proxy.setMode('refuse');
  proxy.cut();
  await during(['DatabaseDown', 'BreakerOpen', 'ServiceNotReady'], 4, () => ask('POST', '/write'));
  await proxy.setMode('pass');
  await during(['HeapNearLimit'], 1, () => ask('GET', '/heap'));
  service.kill('SIGKILL');
  await service.ended;
  await during(['ServiceDown'], 0, async () => {});
  expect([...seen].toSorted()).toEqual(
    alertRules()
      .map(({ alert }) => alert)
      .toSorted(),
  );
});
