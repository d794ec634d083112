import { definePlugin, type Plugin, type ServiceToken } from '@keelson/core';

/** A plugin that fills a slot with what the test has made. */
export function filling<Service>(slot: string, token: ServiceToken<Service>, service: Service): Plugin {
  return definePlugin({
    name: `test-${slot}`,
    slot,
    provides: [token],
    register: ({ bind }) => void bind(token).toConstantValue(service),
  });
}
