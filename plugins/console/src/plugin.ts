import { definePlugin, HealthService, HttpServer, ServiceControl, Telemetry } from '@keelson/core';
import manifest from './manifest.js';
import type { ConsoleOptions } from './options.js';
import { adminPortMissing, tokenMissing } from './serve/errors.js';
import { isLoopback } from './serve/guard.js';
import { Watch } from './watch/watch.js';

export default definePlugin<ConsoleOptions>({
  ...manifest,

  register({ config, clock, decorate, serving }) {
    // A tool that starts plugins has no page.
    if (!serving) return;
    const watch = new Watch(config, clock);
    if (config.requests !== false) decorate(Telemetry, inner => watch.telemetry(inner));
    decorate(HealthService, inner => watch.healthService(inner));

    return {
      async start({ container, logger, defer }) {
        const http = container.get(HttpServer);
        if (http.hasAdminPort !== true) throw adminPortMissing();
        const { adminAddress } = http;
        if (config.token === undefined && !isLoopback(adminAddress)) {
          throw tokenMissing(adminAddress ?? 'an address that is not known');
        }
        const { openConsole } = await import('./serve/open-console.js');
        const opened = openConsole({ config, clock, watch, logger, service: container.get(ServiceControl) });
        defer(() => opened[Symbol.dispose]());
        http.router('/console', opened.handler, { session: 'none', admin: true });
        const url = `${http.adminUrl ?? ''}/console`;
        return {
          ready: () => logger.info('console is served', { url }),
          // Other consoles of this machine find this one by it.
          inspect: () => ({ facts: { console: { url } } }),
        };
      },
    };
  },
});
