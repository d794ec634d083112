import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createTestDatabase, type TestDatabase } from '@keelson/test-support/database';
import { OtlpReceiver } from '@keelson/test-support/otlp-receiver';
import { recordModules } from '@keelson/test-support/recorded-modules';
import { SentryIngest } from '@keelson/test-support/sentry-ingest';
import { startService } from '@keelson/test-support/service-process';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));

/** The configuration of one service; only the line of its telemetry differs. */
const yaml = (telemetry: string) => `service: orders
plugins:
  logger: { use: "@keelson/logger-bunyan" }
  telemetry: ${telemetry}
  database: { use: "@keelson/database-postgresql", url: "\${DATABASE_URL}", migrations: { atStart: true } }
  retry: { use: "@keelson/retry-opossum" }
  http: { use: "@keelson/http-express", port: "\${PORT:-3000}" }
  orders: { use: "./dist/orders.plugin.js", welcome: true }
shutdown: { noticeMs: 0 }
`;

let database: TestDatabase;
let directory: string;
let ingest: SentryIngest;
let receiver: OtlpReceiver;

beforeAll(async () => {
  [database, ingest, receiver] = await Promise.all([createTestDatabase(), SentryIngest.start(), OtlpReceiver.start()]);
  directory = mkdtempSync(join(tmpdir(), 'keelson-swap-telemetry-'));
  symlinkSync(join(root, 'node_modules'), join(directory, 'node_modules'));
  symlinkSync(join(root, 'examples/orders/dist'), join(directory, 'dist'));
}, 60_000);

afterAll(async () => {
  rmSync(directory, { recursive: true, force: true });
  await Promise.all([ingest[Symbol.asyncDispose](), receiver[Symbol.asyncDispose](), database[Symbol.asyncDispose]()]);
});

const seen = () => ({
  sentry: [...new Set(ingest.spans.map(({ name }) => name))],
  otlp: [...new Set(receiver.spans.map(({ name }) => name))],
});

describe('the same service with another line of telemetry', () => {
  let before: ReturnType<typeof seen>;
  beforeEach(() => {
    before = seen();
  });

  test.each([
    [
      'Sentry',
      (): string => `{ use: "@keelson/telemetry-sentry", dsn: "${ingest.dsn}" }`,
      'sentry',
      /@opentelemetry\/(?!api)|telemetry-otel/,
    ],
    [
      'OpenTelemetry',
      (): string => `{ use: "@keelson/telemetry-otel", endpoint: "${receiver.url}" }`,
      'otlp',
      /@sentry|telemetry-sentry/,
    ],
    [
      'none',
      (): string => '{ use: none }',
      undefined,
      /@sentry|@opentelemetry|telemetry-(sentry|otel)|core\/dist\/telemetry/,
    ],
  ] as const)(
    '%s',
    async (name, line, arrivesAt, neverLoaded) => {
      writeFileSync(join(directory, 'keelson.yaml'), yaml(line()));
      const { variables, modules } = await recordModules();
      await using service = await startService({ directory, variables: { ...variables, DATABASE_URL: database.url } });
      const sku = `mug-${name}`;
      expect((await service.request('POST', '/products', { sku, stock: 5 })).status).toBe(201);
      expect((await service.request('POST', '/orders', { sku, quantity: 2 })).status).toBe(201);
      expect((await service.request('GET', `/products/${sku}`)).body.stock).toBe(3);
      expect(await service.stop()).toEqual({ code: 0, signal: null });

      expect((await modules()).filter(url => neverLoaded.test(url))).toEqual([]);
      const arrived = seen();
      const names = [
        'POST /products',
        'POST /orders',
        'GET /products/:sku',
        'db.session',
        'db.attempt',
        'INSERT products',
        'COMMIT',
      ];
      for (const where of ['sentry', 'otlp'] as const) {
        if (where === arrivesAt) expect(arrived[where]).toEqual(expect.arrayContaining(names));
        else expect(arrived[where]).toEqual(before[where]);
      }
    },
    60_000,
  );
});
