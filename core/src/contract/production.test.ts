import { afterEach, describe, expect, test, vi } from 'vitest';
import { isProductionEnvironment, runsInProduction } from './production.js';

afterEach(() => vi.unstubAllEnvs());

test.each(['production', 'prod', 'Production', 'PROD'])('the environment %s is production', environment => {
  expect(isProductionEnvironment(environment)).toBe(true);
});

test.each(['staging', 'preprod', 'production-test', '', undefined])('the environment %s is not', environment => {
  expect(isProductionEnvironment(environment)).toBe(false);
});

describe('a service runs in production', () => {
  test.each([
    ['prod', '', true],
    ['staging', 'production', true],
    [undefined, 'production', true],
    ['staging', 'development', false],
    [undefined, '', false],
  ])('in the environment %s with NODE_ENV "%s": %s', (environment, nodeEnv, expected) => {
    vi.stubEnv('NODE_ENV', nodeEnv);
    expect(runsInProduction(environment)).toBe(expected);
  });
});
