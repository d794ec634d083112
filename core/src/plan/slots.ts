import type { Clock } from '../contract/clock.js';
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

export interface Slot {
  readonly name: string;
  readonly token: ServiceToken;
  /** The service bound when no plugin fills the slot; without it the slot stays empty. */
  readonly silentDefault?: { readonly name: string; create(clock: Clock): unknown };
}

/** The slots every service has. A plugin may declare a further one by naming it. */
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
