import {
  connectFailureOf,
  type DatabaseCapability,
  type Engine,
  type Pooler,
  type Row,
  type Statement,
  severityOf,
  sqlStateOf,
} from '@keelson/database';
import type { Endpoint } from '../endpoint.js';
import { askProbes } from './ask-probes.js';
import { engineOf } from './engine-of.js';
import type { Found } from './found.js';
import { isShared, keepsPrepared } from './pooled-connections.js';
import { limitNames } from './probes.js';
import { productOf } from './products.js';
import type { StatedEngine } from './stated-engine.js';

export interface FoundEngine {
  readonly engine: Engine;
  readonly isReadCommitted: boolean;
  readonly isRoleReadOnly: boolean;
  /** What may leave a state on a connection (`lastingQuestion`). */
  readonly lasting: Row | undefined;
}

/**
 * Finds out what `endpoint` leads to: one round trip on a connection of its own where PostgreSQL answers. From then on
 * connections are opened as the server, or the pooler in front of it, takes them.
 *
 * @throws EngineDifferentError for a statement that was refuted; what the connection throws.
 */
export async function findEngine(
  endpoint: Endpoint,
  stated: StatedEngine,
  { signal, hasReplicas }: { readonly signal: AbortSignal; readonly hasReplicas: boolean },
): Promise<FoundEngine> {
  const found = await asked(endpoint, signal);
  const pooler = await poolerBefore(endpoint, found, signal);
  const isPooled = (stated.pooler ?? pooler) !== undefined;
  // The pooler of a replica may be another one, which is not asked here.
  const mayKeep = isPooled && !hasReplicas && stated.pooling !== 'session' && !isStated(stated, 'prepared-statements');
  const engine = engineOf(
    {
      found,
      pooler,
      keepsPrepared: mayKeep && (await keepsPrepared(endpoint, signal)),
      isShared: isPooled && stated.pooling === 'session' && (await isShared(endpoint, signal)),
      startsWithLimits: endpoint.startsWithLimits && haveHeld(found, endpoint),
    },
    stated,
  );
  const { isReadCommitted, isRoleReadOnly, lasting } = found;
  return { engine, isReadCommitted, isRoleReadOnly, lasting };
}

function isStated({ capabilities = {} }: StatedEngine, capability: DatabaseCapability): boolean {
  return capabilities[capability] !== undefined;
}

const undefinedObject = '42704';

/** PgBouncer, or a server that does not know them, refuses a connection for the limits that it is opened with: another is opened without. */
async function asked(endpoint: Endpoint, signal: AbortSignal): Promise<Found> {
  const ask = (statements: readonly Statement[]) => endpoint.ask(statements, signal);
  try {
    return await askProbes(ask, () => endpoint.backendKey);
  } catch (error) {
    const isOfPooler = connectFailureOf(error)?.kind === 'startup-parameter';
    const isUnknown = sqlStateOf(error) === undefinedObject && severityOf(error) === 'FATAL';
    if (!endpoint.startsWithLimits || !(isOfPooler || isUnknown)) throw error;
    endpoint.startWithoutLimits(isOfPooler ? 'pgbouncer' : undefined);
    return askProbes(ask, () => endpoint.backendKey);
  }
}

/** The process that answers is not the one that the handshake named: something in between has named another. */
async function poolerBefore(endpoint: Endpoint, found: Found, signal: AbortSignal): Promise<Pooler | undefined> {
  if (endpoint.refusesLimits !== undefined) return endpoint.refusesLimits;
  const { backendKey, backendPid } = found;
  const isNamed = typeof backendKey === 'number' && backendPid !== undefined;
  if (!isNamed || backendKey === backendPid || productOf(found).product === 'cockroachdb') return undefined;
  return (await isPgpool(endpoint, signal)) ? 'pgpool' : 'unknown';
}

/** A server knows no such setting; pgpool answers for itself. */
async function isPgpool(endpoint: Endpoint, signal: AbortSignal): Promise<boolean> {
  try {
    const [result] = await endpoint.ask([{ sql: 'show pool_version' }], signal);
    return (result?.rows.length ?? 0) > 0;
  } catch (error) {
    if (severityOf(error) !== 'ERROR') throw error;
    return false;
  }
}

function haveHeld({ limits }: Found, { startLimits }: Endpoint): boolean {
  return limitNames.every(name => {
    const asked = startLimits[name];
    const limit = limits.get(name);
    return asked === undefined || limit?.isOfStartup === true || limit?.ms === asked;
  });
}
