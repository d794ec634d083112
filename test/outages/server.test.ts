import { afterAll, beforeAll, test } from 'vitest';
import { shortForm } from './measures.js';
import { runOutage } from './outage.js';
import { serverOutages } from './server-outages.js';
import { Stage } from './stage.js';

let stage: Stage;

beforeAll(async () => {
  stage = await Stage.open();
});

afterAll(async () => {
  await stage?.[Symbol.asyncDispose]();
});

test.each(serverOutages)(
  '$name: nothing is lost, done twice or reported wrongly',
  async outage => {
    await runOutage(stage, outage, shortForm);
  },
  60_000,
);
