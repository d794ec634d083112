import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { onTestFinished } from 'vitest';

/** Writes the URL of every module that is loaded to a file. */
const recorder = (file: string) => `
  import { appendFileSync } from 'node:fs';
  import { registerHooks } from 'node:module';
  registerHooks({ load(url, context, next) { appendFileSync(${JSON.stringify(file)}, url + '\\n'); return next(url, context); } });`;

/** What to give a process so that it records the modules it loads, and the URLs of those so far. */
export async function recordModules() {
  const directory = await mkdtemp(join(tmpdir(), 'keelson-imports-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  const loaded = join(directory, 'loaded.txt');
  await writeFile(join(directory, 'record.mjs'), recorder(loaded));
  const variables = { NODE_OPTIONS: `--import ${pathToFileURL(join(directory, 'record.mjs'))}` };
  return { variables, modules: async () => (await readFile(loaded, 'utf8')).trimEnd().split('\n') };
}
