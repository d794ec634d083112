import { Agent, request } from 'node:http';
import { systemClock } from '@keelson/core';
import { createTestDatabase } from '@keelson/test-support/database';
import { eventually } from '@keelson/test-support/eventually';
import { type ServiceProcess, startService } from '@keelson/test-support/service-process';
import { expect, test } from 'vitest';

/** `STOPS=20 npm test -- test/keep-alive-stop.test.ts` is the long form. */
const stops = Number(process.env.STOPS ?? 3);
const clients = 20;

type Outcome = number | 'refused' | `lost: ${string}`;

/** One request on a connection of `agent`; what became of it. */
function ask(agent: Agent, url: string, method: 'GET' | 'POST', body: object | undefined): Promise<Outcome> {
  return new Promise(resolve => {
    const headers = body === undefined ? {} : { 'Content-Type': 'application/json' };
    const asked = request(url, { agent, method, headers }, answer => {
      answer.on('error', error => resolve(`lost: ${error.message}`));
      answer.on('end', () => resolve(answer.statusCode ?? 0)).resume();
    });
    asked.on('error', (error: NodeJS.ErrnoException) =>
      resolve(error.code === 'ECONNREFUSED' ? 'refused' : `lost: ${method} ${error.code}`),
    );
    asked.end(body && JSON.stringify(body));
  });
}

/** A client thinks for this long at most, now and then. */
const thinkMs = 100;

/** Asks one thing after the other on one connection until the port is closed. */
async function work(service: ServiceProcess, id: number, outcomes: Outcome[]): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  for (let round = 0; ; round++) {
    const outcome =
      (round + id) % 2 === 0
        ? await ask(agent, `${service.url}/products/mug`, 'GET', undefined)
        : await ask(agent, `${service.url}/orders`, 'POST', { sku: 'mug', quantity: 1 });
    if (outcome === 'refused') break;
    outcomes.push(outcome);
    if (outcomes.length % 3 === 0) await systemClock.sleep(Math.random() * thinkMs);
  }
  agent.destroy();
}

test.each([0, 300])(
  `no request of ${clients} keep-alive clients is lost by SIGTERM, with a notice of %i ms`,
  async noticeMs => {
    await using database = await createTestDatabase();
    const variables = {
      KEELSON_ENV: 'postgres',
      DATABASE_URL: database.url,
      KEELSON_SHUTDOWN__NOTICE_MS: String(noticeMs),
    };
    const total: Record<string, number> = {};
    for (let run = 0; run < stops; run++) {
      await using service = await startService({ variables });
      await service.request('POST', '/products', { sku: 'mug', stock: 1_000_000 });
      const outcomes: Outcome[] = [];
      const working = Promise.all(Array.from({ length: clients }, (_, id) => work(service, id, outcomes)));
      const warm = clients * (5 + (run % 5));
      await eventually(() => outcomes.length >= warm, {
        that: `${warm} requests to end`,
        timeoutMs: 30_000,
        intervalMs: 1,
      });
      service.kill('SIGTERM');
      await working;
      expect(await service.ended).toEqual({ code: 0, signal: null });
      for (const outcome of outcomes) total[outcome] = (total[outcome] ?? 0) + 1;
    }
    if (process.env.STOPS !== undefined) console.log(`notice ${noticeMs} ms, ${stops} stops:`, total);
    expect(Object.keys(total).filter(outcome => !['200', '201', '503'].includes(outcome))).toEqual([]);
  },
  60_000 + stops * 15_000,
);
