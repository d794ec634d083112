import { type ServiceKind, serviceKind } from './service-kinds.js';

const keelson = serviceKind('keelson');

const withSlots = (title: string, variables: ServiceKind['variables']): ServiceKind => ({
  ...keelson,
  name: `keelson, ${title}`,
  title,
  role: 'variant',
  variables,
});

const none = { KEELSON_TELEMETRY__USE: 'none', KEELSON_METRICS__USE: 'none' };
const prometheus = { KEELSON_METRICS__USE: '@keelson/metrics-prometheus' };

/** The service of the bench with and without what observes it. Telemetry goes to `receiver`, a port of this machine. */
export function observedKinds(receiver: number) {
  const otel = (rate: number) => ({
    KEELSON_TELEMETRY__USE: '@keelson/telemetry-otel',
    KEELSON_TELEMETRY__ENDPOINT: `http://127.0.0.1:${receiver}`,
    KEELSON_TELEMETRY__TRACES_SAMPLE_RATE: String(rate),
  });
  const sentry = (rate: number) => ({
    KEELSON_TELEMETRY__USE: '@keelson/telemetry-sentry',
    KEELSON_TELEMETRY__DSN: `http://key@127.0.0.1:${receiver}/1`,
    KEELSON_TELEMETRY__TRACES_SAMPLE_RATE: String(rate),
  });
  return {
    leftOut: withSlots('slots left out', {}),
    none: withSlots('use: none', none),
    metrics: withSlots('metrics-prometheus', { ...none, ...prometheus }),
    otel: withSlots('telemetry-otel, a tenth of the traces', { ...none, ...otel(0.1) }),
    otelAll: withSlots('telemetry-otel, all traces', { ...none, ...otel(1) }),
    sentry: withSlots('telemetry-sentry, a tenth of the traces', { ...none, ...sentry(0.1) }),
    all: withSlots('metrics-prometheus and telemetry-otel, a tenth', { ...prometheus, ...otel(0.1) }),
  };
}
