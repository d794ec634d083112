import { definePlugin, HttpClient, Metrics, RetryPolicy, Telemetry } from '@keelson/core';
import manifest from './manifest.js';
import type { HttpClientOptions } from './options.js';
import { PolicyHttpClient } from './policy-http-client.js';

/** Needs neither a start nor a stop: it holds nothing of its own, and each request ends in its own time. */
export default definePlugin<HttpClientOptions>({
  ...manifest,

  register({ bind, config, clock }) {
    bind(HttpClient)
      .toResolvedValue(
        (policy: RetryPolicy, telemetry: Telemetry, metrics: Metrics) =>
          new PolicyHttpClient(config, { policy, clock, telemetry, metrics }),
        [RetryPolicy, Telemetry, Metrics],
      )
      .inSingletonScope();
  },
});
