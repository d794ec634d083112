import { translate } from '../errors/translate.js';
import { withDirectConnections } from '../orm/direct-connections.js';
import type { Orm } from '../orm/orm.js';
import { compareSchema } from './compare-schema.js';
import { describeDifferences } from './describe-differences.js';
import type { SchemaReport } from './schema-report.js';

export interface ValidateSchemaOptions {
  readonly orm: Orm;
  readonly timeoutMs: number;
  /** Tables of Keelson, which no entity needs to know. */
  readonly own: readonly string[];
}

/** Compares the entities with the live schema. Reads the catalogs of the server, and changes nothing. */
export async function validateSchema(options: ValidateSchemaOptions): Promise<SchemaReport> {
  const { orm, timeoutMs, own } = options;
  const found = await withDirectConnections({ timeoutMs }, () => compareSchema(orm, own)).catch((error: unknown) => {
    throw translate(error);
  });
  const differences = describeDifferences(found);
  const failed = differences.some(({ severity }) => severity === 'failure');
  return { status: failed ? 'different' : 'valid', differences };
}
