export { errorCodes } from './error-codes.js';
export { type MetricsOtlpOptions, metricsOtlpOptions } from './options.js';
export { OtlpMetrics } from './otlp-metrics.js';
export { default } from './plugin.js';
