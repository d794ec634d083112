import { type Histogram, isKeelsonError, type Labels, type Metrics } from '@keelson/core';

/** Others are one, as the conventions ask. */
const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];

/** Undefined where nothing is measured. */
export function measureRequests(metrics: Metrics | undefined): RequestMetrics | undefined {
  return metrics === undefined || metrics.silent === true ? undefined : new RequestMetrics(metrics);
}

/** Metrics of requests to other services, under the names of the OpenTelemetry conventions. Each attempt is one request. */
export class RequestMetrics {
  readonly #durations: Histogram;

  constructor(metrics: Metrics) {
    this.#durations = metrics.histogram({
      name: 'http.client.request.duration',
      description: 'Duration of requests to other services until the head of the answer; each attempt counts as one',
      unit: 's',
      labels: ['target', 'http.request.method', 'http.response.status_code', 'error.type'],
      buckets: [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10],
    });
  }

  answered(target: string, method: string, status: number, durationMs: number): void {
    const labels = { ...labelsOf(target, method), 'http.response.status_code': String(status) };
    // To a client, each status from 400 is an error.
    this.#durations.record(durationMs / 1_000, status < 400 ? labels : { ...labels, 'error.type': String(status) });
  }

  failed(target: string, method: string, error: unknown, durationMs: number): void {
    this.#durations.record(durationMs / 1_000, { ...labelsOf(target, method), 'error.type': typeOf(error) });
  }
}

function labelsOf(target: string, method: string): Labels {
  return { target, 'http.request.method': methods.includes(method) ? method : '_OTHER' };
}

/** `fetch` has what the system said in the cause of its error. */
function typeOf(error: unknown): string {
  if (isKeelsonError(error)) return error.code;
  const cause = propertyOf(error, 'cause');
  const texts = [propertyOf(cause, 'code'), propertyOf(error, 'code'), propertyOf(error, 'name')];
  return texts.find(isIdentifier) ?? 'other';
}

function propertyOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}

function isIdentifier(text: unknown): text is string {
  return typeof text === 'string' && /^[A-Za-z][A-Za-z0-9_]{1,40}$/.test(text);
}
