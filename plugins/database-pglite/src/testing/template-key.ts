import { createHash } from 'node:crypto';
import { statSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { DatabaseModel } from '@keelson/database';
import type { PgliteOptions } from '../options.js';

interface TemplateParts {
  readonly config: PgliteOptions;
  readonly models: readonly DatabaseModel[];
  readonly prepare?: ((...parts: never[]) => unknown) | undefined;
  readonly key?: string | undefined;
}

/** The name of a template: another for everything that makes its contents differ. */
export function templateKey({ config, models, prepare, key = '' }: TemplateParts): string {
  const { migrations, commitProof, commitTokens } = config;
  const parts = [
    pgliteBuild(),
    JSON.stringify({ migrations, commitProof, commitTokens }),
    ...(migrations.atStart ? models.flatMap(({ migrations = [] }) => sourcesOf(migrations)) : []),
    String(prepare),
    key,
  ];
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 24);
}

/** Changes with each version of PGlite, whose data folders differ. */
function pgliteBuild(): string {
  const { size, mtimeMs } = statSync(createRequire(import.meta.url).resolve('@electric-sql/pglite'));
  return `${size} ${mtimeMs}`;
}

/** Names and source texts of migrations, in a list or by name. */
function sourcesOf(migrations: object): string[] {
  return Object.entries(migrations).map(([name, migration]) => `${name} ${migration.name} ${migration}`);
}
