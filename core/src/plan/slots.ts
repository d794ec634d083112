import type { PluginManifest } from '../contract/plugin-manifest.js';
import type { Slot } from '../contract/slot.js';
import { Credentials } from '../contract/slots/credentials.js';
import { HealthService, silentHealthService } from '../contract/slots/health.js';
import { HttpClient } from '../contract/slots/http-client.js';
import { HttpServer } from '../contract/slots/http-server.js';
import { Logger, silentLogger } from '../contract/slots/logger.js';
import { Metrics, silentMetrics } from '../contract/slots/metrics.js';
import { RetryPolicy } from '../contract/slots/retry-policy.js';
import { singleAttempt } from '../contract/slots/single-attempt.js';
import { silentTelemetry, Telemetry } from '../contract/slots/telemetry.js';
import { type ServiceToken, serviceToken } from '../contract/token.js';

/** The slots every service has. A plugin may declare further ones. */
export const slots: readonly Slot[] = [
  { name: 'logger', token: Logger, silentDefault: { name: 'silent logger', create: () => silentLogger } },
  { name: 'telemetry', token: Telemetry, silentDefault: { name: 'silent telemetry', create: () => silentTelemetry } },
  { name: 'metrics', token: Metrics, silentDefault: { name: 'silent metrics', create: () => silentMetrics } },
  { name: 'retry', token: RetryPolicy, silentDefault: { name: 'single attempt', create: singleAttempt } },
  { name: 'health', token: HealthService, silentDefault: { name: 'silent health', create: () => silentHealthService } },
  { name: 'credentials', token: Credentials },
  { name: 'http', token: HttpServer },
  { name: 'http-client', token: HttpClient },
  { name: 'database', token: serviceToken('@keelson/database/DatabaseService') },
];

export const slotNames: readonly string[] = slots.map(slot => slot.name);

export function slotNamed(name: string): Slot | undefined {
  return slots.find(slot => slot.name === name);
}

/** Every slot of a service: those that each has, and those that its plugins declare. */
export function slotsOf(plugins: readonly { readonly manifest: PluginManifest }[]): readonly Slot[] {
  const declared = plugins.flatMap(({ manifest }) => manifest.slots ?? []);
  if (declared.length === 0) return slots;
  return [...new Map([...declared, ...slots].map(slot => [slot.name, slot])).values()];
}

/** `database/reporting` -> slot `database`, instance `reporting`. */
export function splitKey(key: string): { readonly head: string; readonly instance: string | undefined } {
  const slash = key.indexOf('/');
  return slash === -1
    ? { head: key, instance: undefined }
    : { head: key.slice(0, slash), instance: key.slice(slash + 1) };
}

/** The token as a person would name it. */
export function tokenName(token: ServiceToken): string {
  if (typeof token === 'function') return token.name;
  return typeof token === 'symbol' ? (token.description ?? 'a service without a name') : token;
}
