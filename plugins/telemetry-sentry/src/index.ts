export { errorCodes } from './error-codes.js';
export { type TelemetrySentryOptions, telemetrySentryOptions } from './options.js';
export { createTelemetrySentry, default } from './plugin.js';
export type { SentryHooks } from './sentry-client.js';
export { SentryTelemetry } from './sentry-telemetry.js';
