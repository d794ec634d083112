import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { runKeelson } from '@keelson/test-support/run-keelson';
import { expect, onTestFinished, test } from 'vitest';

/** Writes the URL of every module that is loaded to a file. */
const recorder = (file: string) => `
  import { appendFileSync } from 'node:fs';
  import { registerHooks } from 'node:module';
  registerHooks({ load(url, context, next) { appendFileSync(${JSON.stringify(file)}, url + '\\n'); return next(url, context); } });`;

test('keelson check imports the manifests of the orders example, and nothing that works', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'keelson-imports-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  const loaded = join(directory, 'loaded.txt');
  await writeFile(join(directory, 'record.mjs'), recorder(loaded));
  const NODE_OPTIONS = `--import ${pathToFileURL(join(directory, 'record.mjs'))}`;
  const { code } = await runKeelson(['check'], { variables: { NODE_OPTIONS } });
  expect(code).toBe(0);

  const modules = (await readFile(loaded, 'utf8')).split('\n');
  const packages = modules.map(url => /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url)?.[1]);
  expect(packages).toContain('zod');
  const heavy = /^(@mikro-orm|@electric-sql|@sentry|@inversifyjs)\/|^(inversify|express|pg|kysely|opossum|bunyan)$/;
  expect([...new Set(packages)].filter(name => name !== undefined && heavy.test(name))).toEqual([]);
  expect(modules.filter(url => /orders\.plugin|\/control\/|^node:http$/.test(url))).toEqual([]);
});
