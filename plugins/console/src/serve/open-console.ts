import type { Clock, HttpHandler, Logger, ServiceControl } from '@keelson/core';
import type { ConsoleOptions } from '../options.js';
import { LiveSamples } from '../watch/live.js';
import type { Watch } from '../watch/watch.js';
import { ConsoleApi } from './api.js';
import { type Asset, readAssets } from './assets.js';
import { consoleHandler } from './console-handler.js';
import { Guard } from './guard.js';
import { InstanceDirectory } from './instances.js';
import { Logins } from './logins.js';

export interface ConsoleParts {
  readonly config: ConsoleOptions;
  readonly clock: Clock;
  readonly watch: Watch;
  readonly logger: Logger;
  readonly service: ServiceControl;
  /** Where the page is. Default: in this package. */
  readonly pageDirectory?: string;
}

/** Makes what answers at `/console`. Disposing of it ends its sampling. */
export function openConsole(parts: ConsoleParts): { readonly handler: HttpHandler } & Disposable {
  const { config, clock, watch, logger, service, pageDirectory } = parts;
  const now = () => clock.date().getTime();
  const logins = config.token === undefined ? undefined : new Logins(config.token, config.loginLifetimeMs);
  const live = new LiveSamples({
    service,
    traffic: watch.traffic,
    outages: watch.outages,
    health: watch.health,
    historyRevision: () => watch.revision,
    now,
    startedAt: now() - Math.round(process.uptime() * 1_000),
  });
  const instances = new InstanceDirectory(service, config, now);
  const api = new ConsoleApi({ service, watch, live, instances });
  let read: ReadonlyMap<string, Asset> | undefined;
  const assets = () => {
    read ??= readAssets(pageDirectory);
    return read;
  };
  const handler = consoleHandler({ guard: new Guard(logins, now), logins, api, instances, assets, logger, now });
  return { handler, [Symbol.dispose]: () => live[Symbol.dispose]() };
}
