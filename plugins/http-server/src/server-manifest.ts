import {
  type ConfigFinding,
  defineManifest,
  HttpServer,
  Logger,
  type PluginManifest,
  type ServiceToken,
  Telemetry,
} from '@keelson/core';
import { HttpRoutes } from '@keelson/http/contract';
import { type HttpOptions, httpOptions } from './options.js';

const noHttp2: ConfigFinding = {
  path: ['http2'],
  message: 'http2 cannot be true: the server answers HTTP/1.1 only',
  allowed: 'false',
  action: 'Leave it out. Let the proxy in front speak HTTP/2 to clients, and HTTP/1.1 to the service.',
};

/** A client that chooses its address is a new caller with each request. */
function believingClients({ trustProxy, rateLimits }: HttpOptions): ConfigFinding[] {
  const limits = trustProxy === true ? Object.entries(rateLimits) : [];
  return limits
    .filter(([, { by }]) => by === 'ip')
    .map(([name]) => ({
      path: ['rateLimits', name, 'by'],
      message: `The rate limit ${name} cannot count by ip while trustProxy is true: clients choose their address`,
      action: 'Set trustProxy to the number of proxies in front, or to their addresses.',
    }));
}

export interface ServerManifestFacts {
  readonly name: string;
  /** What only this framework can do, for the plugins that need it. */
  readonly capabilities: readonly string[];
  /** Beside those of every server. */
  readonly provides?: readonly ServiceToken<unknown>[];
}

/**
 * The database is not named here, though requests have sessions: it is started after this server, whose probes answer
 * while the service waits for the database. The sessions get it when the service is ready. The metrics are not named
 * either: what serves them needs this server.
 */
export function serverManifest({
  name,
  capabilities,
  provides = [],
}: ServerManifestFacts): PluginManifest<HttpOptions> {
  return defineManifest<HttpOptions>({
    name,
    slot: 'http',
    contract: '^0.1.0',
    capabilities,
    config: httpOptions,
    provides: [HttpServer, HttpRoutes, ...provides],
    diagnoses: true,
    optional: [Logger, Telemetry],
    stopTimeoutMs: 15_000,
    check: ({ config }) => [...(config.http2 ? [noHttp2] : []), ...believingClients(config)],
  });
}
