import { afterAll, beforeAll, test } from 'vitest';
import { shortForm } from './measures.js';
import { runOutage } from './outage.js';
import { serverRefusals } from './server-refusals.js';
import { Stage } from './stage.js';

let stage: Stage;

beforeAll(async () => {
  stage = await Stage.open({ smallDisk: true });
});

afterAll(async () => {
  await stage?.[Symbol.asyncDispose]();
});

test.each(serverRefusals)(
  '$name: nothing is lost, done twice or reported wrongly',
  async outage => {
    await runOutage(stage, outage, shortForm);
  },
  60_000,
);
