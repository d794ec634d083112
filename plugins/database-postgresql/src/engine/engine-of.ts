import {
  type DatabaseCapability,
  databaseCapabilities,
  type Engine,
  EngineDifferentError,
  type EngineProduct,
  type IsolationLevel,
  isolationLevels,
  type Pooler,
  weakerPromises,
} from '@keelson/database';
import { weakerBehindPooler } from './behind-pooler.js';
import type { Found } from './found.js';
import { isOfPostgresql, type Lack, pooledByTransaction, productOf, products } from './products.js';
import type { StatedEngine } from './stated-engine.js';

/** All that was found out about a server, and on the way to it. */
export interface Findings {
  readonly found: Found;
  readonly pooler: Pooler | undefined;
  /** It was seen to lend one connection of the server to two clients. */
  readonly isShared: boolean;
  /** It was seen to prepare statements on whichever connection of the server they are used. */
  readonly keepsPrepared: boolean;
  /** The limits that connections are opened with hold. */
  readonly startsWithLimits: boolean;
}

/**
 * The engine, as found and as the configuration completes it: the configuration takes away what it likes, and adds only
 * what no question could show.
 *
 * @throws EngineDifferentError for a statement that was refuted.
 */
export function engineOf(findings: Findings, stated: StatedEngine): Engine {
  const { found } = findings;
  const { product, version, lacking } = productIn(found, stated);
  const pooler = stated.pooler ?? findings.pooler;
  const pooling = poolingIn(findings, stated, pooler);
  const lacks = new Map<DatabaseCapability, Lack>(lacking);
  if (pooling === 'transaction') addAll(lacks, Object.entries(pooledByTransaction));
  if (findings.keepsPrepared) lacks.delete('prepared-statements');
  for (const [capability, why] of foundLacks(findings)) lacks.set(capability, { why });
  const reasons = reasonsFor(lacks, stated.capabilities ?? {});
  const conflicts = stated.conflicts ?? products[product].conflicts;
  const levels = levelsIn(found, stated.isolationLevels);
  const known = { isolationLevels: levels, conflicts };
  return {
    product,
    version,
    ...(pooler !== undefined || pooling !== undefined ? { pooler: pooler ?? 'unknown' } : {}),
    ...(pooling !== undefined && { pooling }),
    capabilities: new Set(databaseCapabilities.filter(capability => !reasons.has(capability))),
    ...known,
    weaker: [
      ...weakerPromises(known, {
        lacks: reasons,
        levels: stated.isolationLevels === undefined ? 'the server does not support it' : byConfiguration,
        conflicts: stated.conflicts === undefined ? `the product is ${product}` : byConfiguration,
      }),
      ...(pooler === undefined && pooling === undefined ? [] : weakerBehindPooler),
    ],
  };
}

const byConfiguration = 'the configuration says so';

function productIn(found: Found, { product: stated }: StatedEngine) {
  const { product, version } = productOf(found);
  const lacksOf = (name: EngineProduct) => Object.entries(products[name].lacks) as [DatabaseCapability, Lack][];
  if (stated === undefined || stated === product) return { product, version, lacking: lacksOf(product) };
  if (product === 'unknown') return { product: stated, version, lacking: lacksOf(stated) };
  if (stated !== 'unknown' && !(isOfPostgresql(stated) && isOfPostgresql(product))) {
    throw new EngineDifferentError({ option: 'product', stated, found: product });
  }
  return { product: stated, version, lacking: [...lacksOf(product), ...lacksOf(stated)] };
}

/** A pooler is believed to lend by transaction until the configuration says that it does not: nothing could show that. */
function poolingIn({ isShared }: Findings, { pooling }: StatedEngine, pooler: Pooler | undefined) {
  if (pooling === 'session' && isShared) {
    throw new EngineDifferentError({ option: 'pooling', stated: 'session', found: 'transaction' });
  }
  return pooling ?? (pooler === undefined ? undefined : 'transaction');
}

function foundLacks({ found, startsWithLimits }: Findings): [DatabaseCapability, string][] {
  return [
    ...found.lacks,
    ...(startsWithLimits
      ? []
      : ([['startup-parameters', 'the time limits of a new connection have no effect']] as const)),
    ...(typeof found.backendKey === 'number'
      ? []
      : ([['cancel', 'the server reports no process id for cancel requests']] as const)),
  ].map(([capability, why]) => [capability, why]);
}

function reasonsFor(
  lacks: Map<DatabaseCapability, Lack>,
  stated: NonNullable<StatedEngine['capabilities']>,
): ReadonlyMap<DatabaseCapability, string> {
  const reasons = new Map<DatabaseCapability, string>();
  for (const capability of databaseCapabilities) {
    const lack = lacks.get(capability);
    const is = stated[capability];
    if (lack !== undefined && is === true && lack.mayBeStated !== true) {
      throw new EngineDifferentError({ option: `capabilities.${capability}`, stated: 'true', found: lack.why });
    }
    if (is === false) reasons.set(capability, byConfiguration);
    else if (lack !== undefined && is !== true) reasons.set(capability, lack.why);
  }
  return reasons;
}

function levelsIn(found: Found, stated: readonly IsolationLevel[] | undefined): ReadonlySet<IsolationLevel> {
  const refuted = stated?.find(level => !found.isolationLevels.has(level));
  if (refuted !== undefined) {
    throw new EngineDifferentError({
      option: 'isolationLevels',
      stated: refuted,
      found: [...found.isolationLevels].join(', '),
    });
  }
  return new Set(
    isolationLevels.filter(level => found.isolationLevels.has(level) && (stated?.includes(level) ?? true)),
  );
}

function addAll(lacks: Map<DatabaseCapability, Lack>, more: readonly [string, Lack][]): void {
  for (const [capability, lack] of more as readonly [DatabaseCapability, Lack][]) lacks.set(capability, lack);
}
