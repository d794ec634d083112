import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { optionsSchema } from './options.js';

const url = 'postgresql://u:hunter2@db/orders';
const parse = (given: Record<string, unknown>) => optionsSchema.parse({ url, ...given });
const issuesOf = (given: Record<string, unknown>) =>
  optionsSchema.safeParse({ url, ...given }).error?.issues.map(({ path, message }) => [path.join('.'), message]);

describe('the options of database-postgresql', () => {
  test('url may be a list', () => {
    const urls = ['postgresql://u:p@a/orders', 'postgresql://u:p@b/orders'];
    expect(parse({ url: urls }).url).toEqual(urls);
  });

  test('replicas may be a list of urls, and then have every default', () => {
    expect(parse({ replicas: [url] }).replicas).toEqual({
      urls: [url],
      maxLagMs: 10_000,
      catchUpMs: 100,
      checkIntervalMs: 2_000,
      pool: undefined,
    });
    expect(parse({ replicas: { urls: [url], maxLagMs: 'any' } }).replicas).toMatchObject({ maxLagMs: 'any' });
    expect(parse({}).replicas.urls).toEqual([]);
  });

  test('everything wrong with hosts and replicas is said at once, and no password', () => {
    const issues = issuesOf({
      url: ['postgresql://u:hunter2@a:0/orders', 'mysql://u:hunter2@b/orders'],
      replicas: { urls: ['postgresql://u:hunter2@a,/orders'], maxLagMs: 0 },
    });
    expect(issues?.map(([path]) => path)).toEqual(['url.0', 'url.1', 'replicas.urls.0', 'replicas.maxLagMs']);
    expect(issuesOf({ replicas: ['postgresql://u:hunter2@a,/orders'] })).toEqual([
      ['replicas.0', 'its host number 2 is empty'],
    ]);
    expect(JSON.stringify(issues)).not.toContain('hunter2');
  });

  test('the schema for editors marks urls as secret', () => {
    const shape = z.toJSONSchema(optionsSchema, { io: 'input' });
    expect(shape.properties?.url).toMatchObject({ secret: true });
    expect(JSON.stringify(shape.properties?.replicas)).toContain('"secret":true');
  });
});
