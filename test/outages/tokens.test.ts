import { afterAll, beforeAll, describe, test } from 'vitest';
import { failoverOutages } from './failover-outages.js';
import { shortForm } from './measures.js';
import { runOutage } from './outage.js';
import { proofVariable } from './proof.js';
import { serverOutages } from './server-outages.js';
import { Stage } from './stage.js';

const crashes = serverOutages.filter(({ name }) => /crash|kill -9/.test(name));

beforeAll(() => {
  process.env[proofVariable] = 'token';
});
afterAll(() => {
  Reflect.deleteProperty(process.env, proofVariable);
});

describe.each([
  { servers: 'one server', outages: crashes },
  { servers: 'a primary and a standby', outages: failoverOutages },
])('with tokens as proof of commits, on $servers', ({ outages }) => {
  let stage: Stage;

  beforeAll(async () => {
    stage = await Stage.open(outages[0]?.stage);
  });
  afterAll(() => stage?.[Symbol.asyncDispose]());

  test.each(outages)(
    '$name: no outcome is unknown',
    async outage => {
      await runOutage(stage, outage, shortForm);
    },
    60_000,
  );
});
