import { eventually } from '@keelson/test-support/eventually';
import { freePort } from '@keelson/test-support/free-port';
import { OtlpReceiver } from '@keelson/test-support/otlp-receiver';
import { startService } from '@keelson/test-support/service-process';
import { expect, test } from 'vitest';

/** Of the receiver of spans and metrics, or undefined for none that listens. */
const troubles = [
  ['is down', undefined],
  ['never answers', 'hang'],
  ['answers 429 and asks for 30 s of patience', 429],
] as const;

test.each(troubles)(
  'a collector that %s: requests are answered, and the service stops in its time',
  async (_what, answer) => {
    await using receiver = await OtlpReceiver.start();
    if (answer !== undefined) receiver.answer = answer;
    const endpoint = answer === undefined ? `http://127.0.0.1:${await freePort()}` : receiver.url;
    await using service = await startService({
      example: 'hello',
      variables: {
        KEELSON_LOGGER__USE: '@keelson/logger-pino',
        KEELSON_TELEMETRY__USE: '@keelson/telemetry-otel',
        KEELSON_TELEMETRY__FLUSH_TIMEOUT_MS: '500',
        KEELSON_TELEMETRY__TIMEOUT_MS: '300',
        KEELSON_METRICS__USE: '@keelson/metrics-otlp',
        KEELSON_METRICS__INTERVAL_MS: '1000',
        KEELSON_METRICS__TIMEOUT_MS: '300',
        KEELSON_SHUTDOWN__NOTICE_MS: '0',
        OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
        OTEL_BSP_SCHEDULE_DELAY: '50',
      },
    });
    const failed = (what: string) =>
      service.stdout.split('\n').filter(line => line.includes(`${what} could not be sent`));
    await eventually(
      async () => {
        expect((await service.request('GET', '/hello')).status).toBe(200);
        expect([failed('telemetry').length, failed('metrics').length]).toEqual([1, 1]);
      },
      { timeoutMs: 20_000 },
    );
    expect(await service.stop()).toEqual({ code: 0, signal: null });
    expect(service.stdout).toContain('not all metrics were sent in time');
  },
  60_000,
);
