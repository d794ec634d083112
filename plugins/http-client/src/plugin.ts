import { definePlugin, HttpClient, Metrics, RetryPolicy, Telemetry } from '@keelson/core';
import manifest from './manifest.js';
import type { HttpClientOptions } from './options.js';
import { PolicyHttpClient } from './policy-http-client.js';

/** Has neither a start nor a stop: it holds no resources, and each request ends by its own deadline. */
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
