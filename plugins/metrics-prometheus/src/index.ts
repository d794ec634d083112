export { errorCodes } from './error-codes.js';
export { type MetricsPrometheusOptions, metricsPrometheusOptions } from './options.js';
export { default } from './plugin.js';
export { PrometheusMetrics, type PrometheusMetricsParts } from './prometheus-metrics.js';
export { prometheusLabel, prometheusName } from './prometheus-name.js';
