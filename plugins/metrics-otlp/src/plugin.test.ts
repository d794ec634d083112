import { readFile } from 'node:fs/promises';
import { verifyPlugin } from '@keelson/core/testing';
import { resourceOf } from '@keelson/otlp';
import { OtlpReceiver } from '@keelson/test-support/otlp-receiver';
import { afterAll, describe, expect, test } from 'vitest';
import plugin, { metricsOtlpOptions } from './index.js';
import manifest from './manifest.js';
import { settingsOf } from './settings.js';

const receiver = await OtlpReceiver.start();
afterAll(() => receiver[Symbol.asyncDispose]());

describe('as a plugin', () => {
  const values = { endpoint: receiver.url };
  test.each(verifyPlugin(plugin, { manifest, values }))('$name', async ({ run }) => void (await run()));
});

test('the README lists every option', async () => {
  const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8');
  const documented = [...readme.matchAll(/^\| `(\w+)(?:\.\w+)?`/gm)].map(([, option]) => option);
  expect([...new Set(documented)].toSorted()).toEqual(Object.keys(metricsOtlpOptions.shape).toSorted());
});

test('an endpoint with a password is refused without repeating it', () => {
  const { error } = metricsOtlpOptions.safeParse({ endpoint: 'https://user:hush@collector:4318' });
  expect(error?.issues[0]).toMatchObject({ path: ['endpoint'], message: expect.stringContaining('headers') });
  expect(JSON.stringify(error?.issues)).not.toContain('hush');
  expect(metricsOtlpOptions.shape.headers.meta()).toMatchObject({ secret: true });
});

test('a variable that cannot be used is named, and what it should have set has its default', () => {
  const options = metricsOtlpOptions.parse({});
  const variables = { OTEL_METRIC_EXPORT_INTERVAL: 'often', OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' };
  expect(settingsOf(options, variables)).toEqual({
    enabled: true,
    protocol: 'http/protobuf',
    intervalMs: 60_000,
    unusable: ['OTEL_EXPORTER_OTLP_PROTOCOL', 'OTEL_METRIC_EXPORT_INTERVAL'],
  });
});

test('the environment of the service is an attribute of the resource, unless an option names another', () => {
  const facts = { service: 'orders', environment: 'production' };
  const environmentOf = (options: object) =>
    resourceOf(metricsOtlpOptions.parse(options), facts).attributes['deployment.environment.name'];
  expect([environmentOf({}), environmentOf({ environment: 'canary' })]).toEqual(['production', 'canary']);
});
