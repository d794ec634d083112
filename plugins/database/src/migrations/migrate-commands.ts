import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { MigrateCommand } from '@keelson/core';
import type { DatabaseService } from '../database-service.js';
import { migrationFile } from './migration-file.js';

type Migrated = Pick<DatabaseService, 'migrations' | 'migrate' | 'revert' | 'draftMigration'>;

/** What a command line can do about the migrations of `database`; paths start at `directory`. */
export const migrateCommands = (database: Migrated, directory: string): readonly MigrateCommand[] => [
  {
    name: 'up',
    summary: 'apply the migrations that are not applied yet, up to and with the one named',
    usage: '[<migration>]',
    async run({ words: [to], out }) {
      const applied = await database.migrate(to === undefined ? {} : { to });
      for (const name of applied) out(`applied ${name}`);
      if (applied.length === 0) out('nothing left to apply');
    },
  },
  {
    name: 'down',
    summary: 'take the last applied migration back',
    usage: '',
    async run({ out }) {
      const reverted = await database.revert();
      out(reverted === undefined ? 'nothing is applied' : `took back ${reverted}`);
    },
  },
  {
    name: 'status',
    summary: 'say which migrations are applied since when, and which are not',
    usage: '',
    async run({ out }) {
      const { applied, pending, unknown } = await database.migrations();
      for (const { name, at } of applied) {
        out(`applied  ${at.toISOString()}  ${name}${unknown.includes(name) ? '  (not part of this version)' : ''}`);
      }
      for (const name of pending) out(`pending  ${name}`);
      if (applied.length + pending.length === 0) out('there are no migrations');
    },
  },
  {
    name: 'create',
    summary: 'write a migration that adds to the tables what the entities have more',
    usage: '<Name> [<folder>]',
    async run({ words: [name = '', folder = '.'], out }) {
      const text = migrationFile(name, await database.draftMigration());
      const path = join(folder, `${kebab(name)}.ts`);
      await writeFile(join(directory, path), text, { flag: 'wx' });
      out(`wrote ${path}: read it, write its down(), and name ${name} among the migrations of the DatabaseModel`);
    },
  },
];

function kebab(name: string): string {
  return name.replace(/(?<=[a-z0-9])[A-Z]/g, capital => `-${capital}`).toLowerCase();
}
