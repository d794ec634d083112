import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createTestDatabase } from '@keelson/test-support/database';
import { ObservedProcess, personalVariables } from '@keelson/test-support/observed-process';
import { queryOnce } from '@keelson/test-support/query-once';
import { createService } from 'create-keelson';
import { afterAll, beforeAll, expect, test } from 'vitest';

const root = fileURLToPath(new URL('../', import.meta.url));
const place = mkdtempSync(join(tmpdir(), 'keelson-bundling-'));
afterAll(() => rmSync(place, { recursive: true, force: true }));

const service = join(place, 'service');
/** Nothing above it has packages. */
const empty = join(place, 'empty');
const keelson = join(root, 'core/bin/keelson.js');

/** Runs a command that ends by itself. */
function run(
  file: string,
  words: readonly string[],
  directory: string,
  variables: Readonly<Record<string, string>> = {},
) {
  return new Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }>(resolve => {
    const options = { cwd: directory, env: { ...personalVariables(), ...variables } };
    execFile(process.execPath, [file, ...words], options, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    );
  });
}

// With both databases, loggers and telemetries: a deployment chooses.
beforeAll(async () => {
  createService({ folder: service, database: 'postgresql', telemetry: 'sentry' });
  const overlay = (name: string, lines: readonly string[]) =>
    writeFileSync(join(service, `keelson.${name}.yaml`), ['plugins:', ...lines, ''].join('\n  '));
  overlay('embedded', ['database: { use: "@keelson/database-pglite", migrations: { atStart: true } }']);
  overlay('other', [
    'logger: { use: "@keelson/logger-pino" }',
    'telemetry: { use: "@keelson/telemetry-otel", enabled: false }',
  ]);
  symlinkSync(join(root, 'node_modules'), join(service, 'node_modules'), 'junction');
  expect(await run(keelson, ['bundle', '--out', empty], service)).toMatchObject({ code: 0, stderr: '' });
}, 120_000);

/** Starts the bundle, minified as it is, in the folder without packages. */
async function start(variables: Readonly<Record<string, string>>): Promise<ObservedProcess> {
  const bundle = new ObservedProcess(process.execPath, ['service.mjs'], { directory: empty, variables });
  await bundle.until(/service ready in/);
  return bundle;
}

test('a minified bundle runs in a folder without packages: bunyan, pg, migrations by their names, the page of the API', async () => {
  expect(readdirSync(empty)).not.toContain('node_modules');
  await using database = await createTestDatabase();
  await using first = await start({ DATABASE_URL: database.url });
  expect(await first.request('POST', '/notes', { text: 'In a bundle' })).toMatchObject({ status: 201 });
  expect((await first.request('GET', '/docs/swagger-ui.css')).status).toBe(200);
  expect(first.output).toContain('"name":"service"');
  expect(await first.interrupt()).toBe(0);
  expect(await queryOnce(database.url, 'select name from mikro_orm_migrations')).toEqual([{ name: 'CreateNotes' }]);

  await using second = await start({ DATABASE_URL: database.url, KEELSON_ENV: 'other' });
  expect((await second.request('GET', '/notes')).body).toMatchObject([{ title: 'In a bundle' }]);
}, 60_000);

test('a bundle chooses the embedded database by configuration, and has the commands of keelson', async () => {
  const checked = await run('service.mjs', ['check', '--environment', 'embedded'], empty);
  expect(checked).toMatchObject({ code: 0, stderr: '' });
  expect(checked.stdout).toContain('@keelson/database-pglite');
  await using embedded = await start({ KEELSON_ENV: 'embedded' });
  expect((await embedded.request('POST', '/notes', { text: 'Embedded' })).status).toBe(201);
}, 120_000);

test('the plan of a bundle says what it does not contain', async () => {
  const lacking = join(place, 'lacking');
  cpSync(empty, lacking, { recursive: true, filter: path => !/pglite\.data$|assets/.test(path) });
  const embedded = await run('service.mjs', ['check', '--environment', 'embedded'], lacking);
  expect(embedded.code).toBe(1);
  expect(embedded.stderr).toContain('PGLITE_FILES_MISSING');
  expect(embedded.stderr).toContain('The bundle has no pglite.data beside it');

  const variables = { KEELSON_RETRY__USE: '@keelson/retry-cockatiel', DATABASE_URL: 'postgresql://x:y@127.0.0.1/z' };
  const unknown = await run('service.mjs', ['check'], lacking, variables);
  expect(unknown.code).toBe(1);
  expect(unknown.stderr).toContain('PLUGIN_NOT_BUNDLED');
  expect(unknown.stderr).toContain('@keelson/retry-cockatiel is not part of this bundle.');
}, 60_000);

test('a bundle has the files of its own packages, wherever the package manager keeps them, and of no other', async () => {
  const { folder } = createService({ folder: join(place, 'strict') });
  // As pnpm does: the service finds its own dependencies, and none of theirs.
  const { dependencies, devDependencies } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  for (const name of ['esbuild', ...Object.keys({ ...dependencies, ...devDependencies })]) {
    const link = join(folder, 'node_modules', name);
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(join(root, 'node_modules', name), link, 'junction');
  }
  expect(await run(keelson, ['bundle'], folder)).toMatchObject({ code: 0, stderr: '' });
  expect(await run('service.mjs', ['check'], join(folder, 'bundle'))).toMatchObject({ code: 0, stderr: '' });
  expect(readdirSync(join(folder, 'bundle'))).toContain('assets');

  const { folder: other } = createService({ folder: join(place, 'other'), database: 'postgresql' });
  symlinkSync(join(root, 'node_modules'), join(other, 'node_modules'), 'junction');
  expect(await run(keelson, ['bundle'], other)).toMatchObject({ code: 0, stderr: '' });
  expect(readdirSync(join(other, 'bundle'))).not.toContain('pglite.wasm');
}, 120_000);

test('a bundle as CommonJS runs as well', async () => {
  const made = await run(keelson, ['bundle', '--out', join(place, 'cjs'), '--format', 'cjs'], service);
  expect(made).toMatchObject({ code: 0, stderr: '' });
  const variables = { DATABASE_URL: 'postgresql://x:y@127.0.0.1/z' };
  expect(await run('service.cjs', ['check'], join(place, 'cjs'), variables)).toMatchObject({ code: 0, stderr: '' });
}, 60_000);

test('a new bundle takes the place of a bundle, and of nothing else', async () => {
  const taken = await run(keelson, ['bundle', '--out', 'src'], service);
  expect(taken.code).toBe(1);
  expect(taken.stderr).toContain('CLI_FOLDER_TAKEN');
  writeFileSync(join(service, 'service.mjs'), '');
  expect((await run(keelson, ['bundle', '--out', '.'], service)).stderr).toContain('CLI_FOLDER_TAKEN');
  rmSync(join(service, 'service.mjs'));

  writeFileSync(join(service, 'src/notes/title-of.ts'), 'export const = ;');
  const failed = await run(keelson, ['bundle', '--out', empty], service);
  expect(failed.code).toBe(1);
  expect(failed.stderr).toContain('CLI_BUNDLE_FAILED');
  expect(readFileSync(join(empty, 'service.mjs')).length).toBeGreaterThan(1_000_000);
  expect(readdirSync(place).filter(name => name.startsWith('.'))).toEqual([]);
}, 60_000);
