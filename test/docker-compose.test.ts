import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';

const root = new URL('../', import.meta.url);
const read = (path: string) => readFileSync(new URL(path, root), 'utf8');

const healthcheck = z.looseObject({ test: z.array(z.string()), start_period: z.string() });
const compose = z
  .object({
    services: z.object({
      postgres: z.looseObject({
        image: z.string(),
        environment: z.record(z.string(), z.string()),
        ports: z.array(z.string()),
        healthcheck,
      }),
      orders: z.looseObject({
        build: z.object({ context: z.string(), dockerfile: z.string() }),
        depends_on: z.record(z.string(), z.object({ condition: z.string() })),
        environment: z.record(z.string(), z.string()),
        ports: z.array(z.string()),
        stop_grace_period: z.string(),
      }),
    }),
  })
  .parse(parse(read('docker-compose.yml')));
const { postgres, orders } = compose.services;

describe('docker-compose.yml', () => {
  test('runs PostgreSQL 18, reachable from this machine alone', () => {
    expect(postgres.image).toBe('postgres:18');
    expect(postgres.ports).toEqual([expect.stringMatching(/^127\.0\.0\.1:.*:5432$/)]);
  });

  test('starts the service when PostgreSQL answers over TCP', () => {
    expect(orders.depends_on).toEqual({ postgres: { condition: 'service_healthy' } });
    expect(postgres.healthcheck.test.slice(0, 3)).toEqual(['CMD', 'pg_isready', '--host=127.0.0.1']);
  });

  test('lets the service reach the database that it creates', () => {
    const { POSTGRES_USER, POSTGRES_PASSWORD, POSTGRES_DB } = postgres.environment;
    expect(orders.environment.DATABASE_URL).toBe(
      `postgresql://${POSTGRES_USER}:${POSTGRES_PASSWORD}@postgres:5432/${POSTGRES_DB}`,
    );
  });

  test('publishes the port that the service listens on', () => {
    expect(orders.ports).toEqual([expect.stringMatching(new RegExp(`:${orders.environment.PORT}$`))]);
  });

  test('gives the service longer to stop than it takes at most', () => {
    const budgetMs = 25_000;
    expect(Number.parseInt(orders.stop_grace_period, 10) * 1_000).toBeGreaterThan(budgetMs);
  });

  test('sets every variable that the configuration of its environment needs, and no other', () => {
    const { KEELSON_ENV, ...set } = orders.environment;
    const configurations = ['keelson.yaml', `keelson.${KEELSON_ENV}.yaml`].map(file => read(`examples/orders/${file}`));
    const variables = [...configurations.join('\n').matchAll(/\$\{([A-Z_]+)(:-)?/g)];
    const needed = variables.filter(([, , fallback]) => fallback === undefined).map(([, name]) => name);
    expect(Object.keys(set)).toEqual(expect.arrayContaining(needed));
    expect(variables.map(([, name]) => name)).toEqual(expect.arrayContaining(Object.keys(set)));
  });
});

describe('the Dockerfile of the orders service', () => {
  const dockerfile = read(orders.build.dockerfile);
  const lines = dockerfile.replaceAll('\\\n', ' ').split('\n');

  test('is built from the root and copies what exists', () => {
    expect(orders.build.context).toBe('.');
    const copied = lines.flatMap(line => /^COPY --from=build \/app\/(\S+)/.exec(line)?.[1] ?? []);
    expect(copied).toContain('examples/orders');
    for (const path of copied) expect(existsSync(new URL(path, root)), path).toBe(true);
  });

  test('builds every package that the service depends on', () => {
    const { dependencies } = z
      .object({ dependencies: z.record(z.string(), z.string()) })
      .parse(JSON.parse(read('examples/orders/package.json')));
    const ours = Object.keys(dependencies).filter(name => name.startsWith('@keelson/') && name !== '@keelson/core');
    const built = lines.find(line => line.includes('tsc -b')) ?? '';
    // plugins/database is built with the plugins that refer to it.
    for (const name of ours) expect(built).toContain(name.replace('@keelson/', 'plugins/'));
  });

  test('runs on Node 24, not as root, and gets signals itself', () => {
    expect(lines.filter(line => line.startsWith('FROM ')).at(-1)).toBe('FROM node:24-slim');
    expect(lines).toContain('USER node');
    expect(lines.at(-2)).toMatch(/^CMD \["node", /);
  });

  test('is healthy when the service is ready', () => {
    expect(dockerfile).toMatch(/HEALTHCHECK[\s\S]+\/readyz/);
  });

  test('runs as that of a copy does', () => {
    const runtime = (text: string) => text.slice(text.lastIndexOf('FROM ')).split('\n');
    const kept = (line: string) => /^(FROM|ENV|USER|EXPOSE|HEALTHCHECK| {2}CMD)/.test(line);
    expect(runtime(read('examples/orders/Dockerfile')).filter(kept)).toEqual(runtime(dockerfile).filter(kept));
  });
});
