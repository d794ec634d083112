import type { Conflicts, DatabaseCapability, EngineProduct } from '@keelson/database';
import type { Found } from './found.js';

/** What a product, or a pooler, is known to lack, where no question could show it. */
export interface Lack {
  readonly why: string;
  /** The configuration may state that it is there all the same. */
  readonly mayBeStated?: true;
}

type Lacks = Partial<Readonly<Record<DatabaseCapability, Lack>>>;

interface Product {
  readonly lacks: Lacks;
  readonly conflicts: Conflicts;
}

const foreignIds: Lack = { why: 'the id of a transaction does not prove what the transaction wrote' };
const ddlAlone: Lack = { why: 'its DDL is not undone with the transaction', mayBeStated: true };
const lagOfItsOwn: Lack = { why: 'its replicas do not replay a log as PostgreSQL does' };
const untried = (what: string): Lack => ({ why: `${what} is not proven on this engine`, mayBeStated: true });

export const products: Readonly<Record<EngineProduct, Product>> = {
  postgresql: { lacks: {}, conflicts: 'rare' },
  alloydb: { lacks: {}, conflicts: 'rare' },
  neon: { lacks: {}, conflicts: 'rare' },
  aurora: { lacks: { 'replica-lag': lagOfItsOwn }, conflicts: 'rare' },
  citus: {
    lacks: {
      'write-implies-id': { why: 'a write to a single shard is committed there before its coordinator commits' },
    },
    conflicts: 'rare',
  },
  yugabytedb: {
    lacks: {
      'commit-lookup': foreignIds,
      'write-implies-id': foreignIds,
      'transactional-ddl': ddlAlone,
      'replica-lag': lagOfItsOwn,
    },
    conflicts: 'normal',
  },
  cockroachdb: {
    lacks: {
      'commit-lookup': foreignIds,
      'write-implies-id': foreignIds,
      'transactional-ddl': ddlAlone,
      'replica-lag': lagOfItsOwn,
      copy: untried('COPY'),
    },
    conflicts: 'normal',
  },
  unknown: {
    lacks: {
      'commit-lookup': { why: 'the ids of an unknown engine may prove nothing' },
      'write-implies-id': { why: 'the ids of an unknown engine may prove nothing' },
      'transactional-ddl': untried('a rollback of DDL'),
      copy: untried('COPY'),
    },
    conflicts: 'normal',
  },
};

/** What a pooler takes away that lends the server's connections by transaction. */
export const pooledByTransaction: Lacks = {
  'session-state': { why: 'a pooler lends the connections of the server by transaction' },
  listen: { why: 'a pooler lends the connections of the server by transaction' },
  'prepared-statements': { why: 'a pooler lends the connections of the server by transaction', mayBeStated: true },
};

/** Products that have another version(): never taken for each other, nor for PostgreSQL. */
const ownWords: readonly (readonly [product: EngineProduct, words: RegExp])[] = [
  ['cockroachdb', /^CockroachDB\b.*?\bv([\w.-]+)/],
  ['yugabytedb', /^PostgreSQL [\d.]+-YB-([\w.-]+)/],
];

/** They call themselves PostgreSQL, and are not. */
const strangers = /\b(?:Redshift|Greenplum|Materialize|HAWQ|Netezza|QuestDB|RisingWave)\b/i;

export function productOf({ versionText, serverVersion, marks }: Found): {
  readonly product: EngineProduct;
  readonly version: string;
} {
  for (const [product, words] of ownWords) {
    const version = words.exec(versionText)?.[1];
    if (version !== undefined) return { product, version };
  }
  const [version = ''] = serverVersion.split(' ');
  const isPostgresql = /^PostgreSQL \d+\S* .*\bon \S/.test(versionText) && !strangers.test(versionText);
  if (!isPostgresql) return { product: 'unknown', version };
  const [mark] = (['citus', 'aurora', 'alloydb', 'neon'] as const).filter(name => marks.has(name));
  return { product: mark ?? 'postgresql', version };
}

/** Its answers are those of PostgreSQL itself, of one product or another. */
export function isOfPostgresql(product: EngineProduct): boolean {
  return !ownWords.some(([name]) => name === product) && product !== 'unknown';
}
