import { setTimeout as sleep } from 'node:timers/promises';
import { definePlugin, HttpServer, Metrics, oldGeneration, systemClock } from '@keelson/core';
import { measureJob } from '@keelson/core/metrics';
import { DatabaseService } from '@keelson/database';
import { currentSession } from '@keelson/http-express';
import { Router } from 'express';

const stored = 'create table if not exists notes (text text not null)';

/** A route for each trouble that an alert is about. */
export default definePlugin({
  name: 'troubled',
  requires: [HttpServer, DatabaseService, Metrics],
  async start({ container }) {
    const metrics = container.get(Metrics);
    const database = container.get(DatabaseService);
    await database.session(em => em.execute(stored));
    const series = metrics.counter({
      name: 'troubled.users',
      description: 'By user',
      unit: '{user}',
      labels: ['user'],
    });
    const runJob = measureJob(metrics, 'troubled.job', systemClock);
    const kept: number[][] = [];
    const router = Router();
    router.get('/read', async (request, response) => {
      response.json(await currentSession(request).execute('select 1'));
    });
    router.post('/write', async (request, response) => {
      response.json(await currentSession(request).execute("insert into notes values ('one')"));
    });
    router.post('/repeatable', async (_request, response) => {
      response.json(await database.session(em => em.execute('select pg_sleep(0.2)')));
    });
    router.get('/broken', () => {
      throw new Error('broken');
    });
    router.get('/slow', async (_request, response) => {
      await sleep(3_000);
      response.end();
    });
    router.get('/hold', async (request, response) => {
      await currentSession(request).execute('select pg_sleep(1)');
      response.end();
    });
    router.get('/block', (_request, response) => {
      const end = performance.now() + 400;
      while (performance.now() < end);
      response.end();
    });
    router.get('/job', async (_request, response) => {
      await runJob(() => Promise.reject(new Error('not today'))).catch(() => {});
      response.end();
    });
    router.get('/series', (_request, response) => {
      for (let user = 0; user < 200; user++) series.add(1, { user: `user-${user}` });
      response.end();
    });
    router.get('/heap', (_request, response) => {
      const isFull = () => oldGeneration().usedBytes > 0.93 * oldGeneration().limitBytes;
      // In small steps: beyond the limit V8 would end the process.
      for (let step = 0; !isFull() && step < 20; step++) {
        for (let arrays = 0; arrays < 1_000; arrays++) kept.push(new Array<number>(100).fill(0.5));
      }
      response.end();
    });
    const http = container.get(HttpServer);
    http.router('/', router);
    return { ready: () => console.log(`troubled listens on ${http.url} `) };
  },
});
