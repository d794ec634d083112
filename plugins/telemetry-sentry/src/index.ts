export { errorCodes } from './error-codes.js';
export { type TelemetrySentryOptions, telemetrySentryOptions } from './options.js';
export { default } from './plugin.js';
export { SentryTelemetry } from './sentry-telemetry.js';
