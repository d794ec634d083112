export { errorCodes } from './error-codes.js';
export { type TelemetryOtelOptions, telemetryOtelOptions } from './options.js';
export { OtelTelemetry } from './otel-telemetry.js';
export { default } from './plugin.js';
