import { defineManifest, Telemetry } from '@keelson/core';
import { type TelemetrySentryOptions, telemetrySentryOptions } from './options.js';

export default defineManifest<TelemetrySentryOptions>({
  name: 'telemetry-sentry',
  slot: 'telemetry',
  config: telemetrySentryOptions,
  provides: [Telemetry],
  diagnoses: true,
});
