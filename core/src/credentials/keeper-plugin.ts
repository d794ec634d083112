import { makeOnce } from '../contract/make-once.js';
import type { Plugin } from '../contract/plugin.js';
import type { PluginContext } from '../contract/plugin-context.js';
import type { PluginManifest } from '../contract/plugin-manifest.js';
import { Credentials } from '../contract/slots/credentials.js';
import { HealthService } from '../contract/slots/health.js';
import { Logger } from '../contract/slots/logger.js';
import { Metrics } from '../contract/slots/metrics.js';
import { CredentialKeeper, type CredentialKeeperParts } from './credential-keeper.js';

export interface KeeperPluginParts<Config> {
  readonly manifest: PluginManifest<Config>;
  /** Returns how to obtain a credential, for this plugin. Obtains none itself. */
  readonly source: (
    context: PluginContext<Config>,
  ) => Pick<CredentialKeeperParts, 'obtain' | 'isChanged' | 'refreshMs'>;
}

/** The plugin of a source of credentials: all but the source is the same for each. */
export function keeperPlugin<Config>({ manifest, source }: KeeperPluginParts<Config>): Plugin<Config> {
  return {
    ...manifest,
    register(context) {
      const { bind, clock, key } = context;
      const keeperWith = makeOnce(
        (logger: Logger, metrics: Metrics) =>
          new CredentialKeeper({ ...source(context), clock, key, metrics, logger: logger.child({ plugin: key }) }),
      );
      bind(Credentials).toResolvedValue(keeperWith, [Logger, Metrics]).inSingletonScope();
      return {
        async start({ container, defer, waitingFor }) {
          const keeper = keeperWith(container.get(Logger), container.get(Metrics));
          defer(() => keeper.close());
          waitingFor('its first credential');
          await keeper.current();
          const check = container.get(HealthService).register({
            name: key.replace('/', '-'),
            critical: false,
            check: () => keeper.health(),
          });
          defer(() => check[Symbol.dispose]());
          return { inspect: () => keeper.inspect() };
        },
      };
    },
  };
}
