import type { HttpHandler } from '@keelson/core';
import { preferredFormat } from './accept.js';
import type { PrometheusMetrics } from './prometheus-metrics.js';

/** Answers GET and HEAD of its path with everything that is measured. Any other request is passed on. */
export function metricsHandler(metrics: PrometheusMetrics): HttpHandler {
  return async (request, response, next) => {
    const [path = ''] = (request.url ?? '').split('?', 1);
    if ((request.method !== 'GET' && request.method !== 'HEAD') || path.length > 1) return next();
    const format = preferredFormat(request.headers.accept);
    const body = await metrics.expose(format);
    response.writeHead(200, {
      'Content-Type': metrics.contentType(format),
      'Content-Length': Buffer.byteLength(body),
      'Cache-Control': 'no-store',
      Vary: 'Accept',
    });
    response.end(request.method === 'HEAD' ? undefined : body);
  };
}
