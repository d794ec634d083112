import { defineManifest, Telemetry } from '@keelson/core';
import { type TelemetryOtelOptions, telemetryOtelOptions } from './options.js';

export default defineManifest<TelemetryOtelOptions>({
  name: 'telemetry-otel',
  slot: 'telemetry',
  contract: '^0.1.0',
  config: telemetryOtelOptions,
  provides: [Telemetry],
  diagnoses: true,
});
