import { afterAll, beforeAll, test } from 'vitest';
import { failoverOutages } from './failover-outages.js';
import { shortForm } from './measures.js';
import { runOutage } from './outage.js';
import { Stage } from './stage.js';

let stage: Stage;

beforeAll(async () => {
  stage = await Stage.open({ standby: true });
});

afterAll(async () => {
  await stage?.[Symbol.asyncDispose]();
});

test.each(failoverOutages)(
  '$name: nothing is lost, done twice or reported wrongly',
  async outage => {
    await runOutage(stage, outage, shortForm);
  },
  60_000,
);
