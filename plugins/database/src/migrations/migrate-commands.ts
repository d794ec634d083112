import { writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { KeelsonError, type MigrateCommand } from '@keelson/core';
import type { DatabaseService } from '../database-service.js';
import { migrationFile } from './migration-file.js';

type Migrated = Pick<DatabaseService, 'migrations' | 'migrate' | 'revert' | 'draftMigration'>;

/** What a command line can do about the migrations of `database`; paths start at `directory`. */
export const migrateCommands = (database: Migrated, directory: string): readonly MigrateCommand[] => [
  {
    name: 'up',
    summary: 'apply the migrations that are not applied yet, up to and including the named one',
    usage: '[<migration>]',
    async run({ words: [to], out }) {
      const applied = await database.migrate(to === undefined ? {} : { to });
      for (const name of applied) out(`applied ${name}`);
      if (applied.length === 0) out('nothing left to apply');
      return { applied };
    },
  },
  {
    name: 'down',
    summary: 'undo the last applied migration',
    usage: '',
    async run({ out }) {
      const reverted = await database.revert();
      out(reverted === undefined ? 'nothing is applied' : `undid ${reverted}`);
      return { reverted: reverted ?? null };
    },
  },
  {
    name: 'status',
    summary: 'print which migrations are applied, since when, and which are not',
    usage: '',
    async run({ out }) {
      const { applied, pending, unknown } = await database.migrations();
      for (const { name, at } of applied) {
        out(`applied  ${at.toISOString()}  ${name}${unknown.includes(name) ? '  (not part of this version)' : ''}`);
      }
      for (const name of pending) out(`pending  ${name}`);
      if (unknown.length > 0)
        out('a newer version has the migrations that are not part of this version, or src has them and is not built');
      if (applied.length + pending.length === 0) out('there are no migrations');
      return { applied, pending, unknown };
    },
  },
  {
    name: 'create',
    summary: 'write a migration that adds to the tables what the entities need',
    usage: '<Name> [<folder>]',
    async run({ words: [name = '', folder = '.'], out }) {
      await refuseWhilePending(database);
      const text = migrationFile(name, await database.draftMigration());
      const path = join(folder, `${kebab(name)}.ts`);
      await write(resolve(directory, path), text);
      out(`wrote ${path}: read it, write its down(), and name ${name} among the migrations of the DatabaseModel`);
      return { wrote: path };
    },
  },
];

/** A draft compares the entities with the tables: it would repeat each migration that is not applied. */
async function refuseWhilePending(database: Migrated): Promise<void> {
  const { pending } = await database.migrations();
  if (pending.length === 0) return;
  throw new KeelsonError({
    code: 'DATABASE_MIGRATION_PENDING',
    message: `Not applied to this database: ${pending.join(', ')}. The new migration would repeat them; nothing was written.`,
    hint: 'Run keelson migrate, then create the migration again.',
    facts: { pending },
  });
}

async function write(file: string, text: string): Promise<void> {
  try {
    await writeFile(file, text, { flag: 'wx' });
  } catch (cause) {
    const reason = (cause as NodeJS.ErrnoException).code ?? 'unknown reason';
    throw new KeelsonError({
      code: 'DATABASE_MIGRATION_UNWRITABLE',
      message: `The migration cannot be written to ${file} (${reason}); nothing was done.`,
      hint:
        hints[reason] ??
        'Check the permissions of the folder, or name another folder: keelson migrate create <Name> <folder>.',
      facts: { file, reason },
      cause,
    });
  }
}

const hints: Readonly<Record<string, string>> = {
  EEXIST: 'The file exists already; choose another name, or move the file.',
  ENOENT: 'Its folder does not exist: create it first.',
  ENOTDIR: 'Its folder is a file; name a folder.',
};

function kebab(name: string): string {
  return name.replace(/(?<=[a-z0-9])[A-Z]/g, capital => `-${capital}`).toLowerCase();
}
