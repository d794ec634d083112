import { execFile, spawnSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Kernel } from '@keelson/core';
import { buildDockerfile } from '@keelson/test-support/dockerfile-build';
import { eventually } from '@keelson/test-support/eventually';
import { ObservedProcess, personalVariables } from '@keelson/test-support/observed-process';
import { packPackages } from '@keelson/test-support/packed-packages';
import { workflowErrors } from '@keelson/test-support/workflow-errors';
import { createService } from 'create-keelson';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';

const root = fileURLToPath(new URL('../', import.meta.url));

const place = mkdtempSync(join(tmpdir(), 'keelson-create-'));
// A server that may not run as root has its data below.
chmodSync(place, 0o755);
afterAll(() => rmSync(place, { recursive: true, force: true }), 180_000);

const quiet = ['--prefer-offline', '--no-audit', '--no-fund'];
const pnpm = ['--yes', 'pnpm@11'];

/** Whether packages can be installed here. */
const hasRegistry = succeeds('npm', ['ping', '--fetch-retries=0', '--fetch-timeout=5000']);
const hasPnpm = hasRegistry && succeeds('npx', [...pnpm, '--version']);

function succeeds(program: string, words: readonly string[]): boolean {
  return spawnSync(program, words, { cwd: place, env: personalVariables() }).status === 0;
}

let made = 0;

/**
 * A service whose packages are those of the repository. `keelson dev` checks the types of one file after each change; the
 * services below, from the tarballs, have all of theirs checked.
 */
function linkedService(options: Omit<Parameters<typeof createService>[0], 'folder'> = {}): string {
  const { folder } = createService({ folder: join(place, `linked-${++made}`), ...options });
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'), 'junction');
  const project = join(folder, 'tsconfig.json');
  const { include: _, ...rest } = JSON.parse(readFileSync(project, 'utf8'));
  writeFileSync(project, JSON.stringify({ ...rest, files: ['src/notes/title-of.ts'] }));
  return folder;
}

const choices = ['embedded', 'postgresql'].flatMap(database =>
  ['bunyan', 'pino'].flatMap(logger => ['none', 'otel', 'sentry'].map(telemetry => ({ database, logger, telemetry }))),
);

test.each(choices)(
  'the plan of $database, $logger, $telemetry holds, in development and in production',
  async chosen => {
    const directory = linkedService(chosen);
    const known = { DATABASE_URL: 'postgresql://x:y@127.0.0.1/z', SENTRY_DSN: 'https://key@sentry.example/1' };
    for (const environment of [undefined, 'production']) {
      const plan = await Kernel.plan({
        config: join(directory, 'keelson.yaml'),
        variables: known,
        sourceOf: file => file.replace('/dist/', '/src/').replace(/\.js$/, '.ts'),
        ...(environment !== undefined && { environment }),
      });
      expect(plan.problems).toEqual([]);
      expect(plan.warnings).toEqual([]);
    }
  },
);

test('GitHub reads the CI file without an error', async () => {
  const directory = linkedService();
  const file = join(directory, '.github/workflows/ci.yml');
  const content = readFileSync(file, 'utf8');
  expect(await workflowErrors(content, place)).toEqual([]);
  expect(await workflowErrors(content.replace('runs-on', 'run-on'), place)).not.toEqual([]);
  const scripts = Object.keys(JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')).scripts);
  const called = ciJobs(directory).flatMap(lines => lines.flatMap(line => /^npm run (\S+)/.exec(line)?.[1] ?? []));
  expect(scripts).toEqual(expect.arrayContaining(called));
});

/** The commands of each job. */
function ciJobs(directory: string): readonly (readonly string[])[] {
  const steps = z.array(z.looseObject({ run: z.string().optional() }));
  const workflow = z.object({ jobs: z.record(z.string(), z.looseObject({ steps })) });
  const { jobs } = workflow.parse(parse(readFileSync(join(directory, '.github/workflows/ci.yml'), 'utf8')));
  return Object.values(jobs).map(job => job.steps.flatMap(step => step.run ?? []));
}

/** Writes a note; resolves to the status of the answer. */
async function write(service: ObservedProcess, text: string): Promise<number> {
  return (await service.request('POST', '/notes', { text })).status;
}

/** The titles of the newest notes. */
async function titles(service: ObservedProcess): Promise<readonly string[]> {
  const { body } = await service.request('GET', '/notes');
  return z
    .array(z.looseObject({ title: z.string() }))
    .parse(body)
    .map(({ title }) => title);
}

test('keelson dev --postgres starts a PostgreSQL, migrates it, keeps its data, and reports tables that differ', async () => {
  const directory = linkedService({ database: 'postgresql' });
  const words = [join(root, 'core/bin/keelson.js'), 'dev', '--postgres'];
  await using first = new ObservedProcess(process.execPath, words, { directory });
  await first.until(/\[dev\] PostgreSQL runs/);
  await first.until(/\[dev\] ready in/);
  expect(await write(first, 'Kept by PostgreSQL')).toBe(201);

  const entity = join(directory, 'src/notes/note.ts');
  const text = readFileSync(entity, 'utf8');
  writeFileSync(entity, text.replace('text: p.text(),', 'text: p.text(),\n    colour: p.text(),'));
  await first.until(/the schema differs from the entities/);
  await first.until(/\[dev\] restarted, ready in/);
  writeFileSync(entity, text);
  await first.until(/\[dev\] restarted, ready in/);
  expect(await first.interrupt()).toBe(0);
  expect(existsSync(join(directory, '.data/postgres/data/postmaster.pid'))).toBe(false);

  await using second = new ObservedProcess(process.execPath, words, { directory });
  await second.until(/\[dev\] ready in/);
  expect(await titles(second)).toEqual(['Kept by PostgreSQL']);
}, 300_000);

test('keelson dev keeps the embedded database open and its data, whatever ends the service or the command', async () => {
  const directory = linkedService();
  const words = [join(root, 'core/bin/keelson.js'), 'dev'];
  const lockFile = join(directory, '.data/keelson.lock');
  const keeper = () => z.object({ pid: z.int() }).parse(JSON.parse(readFileSync(lockFile, 'utf8'))).pid;
  const touch = () => appendFileSync(join(directory, 'src/notes/title-of.ts'), '// changed\n');
  const last = (output: string) => Number([...output.matchAll(/\[dev\] service (\d+)/g)].at(-1)?.[1]);
  const plugin = join(directory, 'src/notes.plugin.ts');
  writeFileSync(plugin, `${readFileSync(plugin, 'utf8')}console.log('[dev] service ' + process.pid);\n`);

  await using first = new ObservedProcess(process.execPath, words, { directory });
  await first.until(/\[dev\] ready in/);
  const kept = keeper();
  expect(await write(first, 'Before a restart')).toBe(201);
  touch();
  await first.until(/\[dev\] restarted, ready in/);
  expect(await write(first, 'Before a kill')).toBe(201);
  process.kill(last(first.output), 'SIGKILL');
  await first.until(/the service ended with code/);
  touch();
  await first.until(/\[dev\] restarted, ready in/);
  expect(await titles(first)).toEqual(['Before a kill', 'Before a restart']);
  expect(keeper()).toBe(kept);
  expect(await first.interrupt()).toBe(0);
  expect(existsSync(lockFile)).toBe(false);

  await using second = new ObservedProcess(process.execPath, words, { directory });
  await second.until(/\[dev\] ready in/);
  expect(await write(second, 'Before the command was killed')).toBe(201);
  await second.kill();
  // The service and the database end in order without it.
  await eventually(() => expect(existsSync(lockFile)).toBe(false), { timeoutMs: 30_000 });
  await using third = new ObservedProcess(process.execPath, words, { directory });
  await third.until(/\[dev\] ready in/);
  expect(await titles(third)).toEqual(['Before the command was killed', 'Before a kill', 'Before a restart']);
}, 300_000);

describe.skipIf(!hasRegistry)('from the tarballs of all packages, in an empty folder', () => {
  let packages: Readonly<Record<string, string>> = {};
  beforeAll(async () => {
    packages = Object.fromEntries([...(await packPackages())].map(([name, file]) => [name, `file:${file}`]));
  }, 180_000);

  test('npm create, the commands of the CI file in their order, npm run dev, npm start', async () => {
    const maker = join(place, 'maker');
    await run('npm', ['install', '--prefix', maker, ...quiet, packages['create-keelson'] ?? ''], place);
    const create = join(maker, 'node_modules/.bin/create-keelson');
    expect(await run(create, ['order-book', '--yes'], place)).toContain('npm install');
    const directory = join(place, 'order-book');
    useTarballs(directory, packages);
    const [test, image] = ciJobs(directory);
    expect(image).toEqual(['docker build .']);
    let printed = '';
    for (const line of test ?? []) {
      const [program = '', ...words] = line.split(' ');
      printed += await run(program, words, directory);
      // The options of the service are in it although nothing is built yet.
      expect(readFileSync(join(directory, 'keelson.schema.json'), 'utf8')).toContain('maxTitleLength');
    }
    expect(printed).toMatch(/Tests\s+7 passed/);

    await using dev = new ObservedProcess('npm', ['run', 'dev'], { directory });
    await dev.until(/\[dev\] ready in/);
    expect(await write(dev, 'Kept in .data')).toBe(201);
    const file = join(directory, 'src/notes/title-of.ts');
    writeFileSync(file, readFileSync(file, 'utf8').replace('line.trim()', 'line.trim().toUpperCase()'));
    await dev.until(/\[dev\] changed: src\/notes\/title-of\.ts/);
    await dev.until(/\[dev\] restarted, ready in/);
    expect(await write(dev, 'changed')).toBe(201);
    expect(await titles(dev)).toEqual(['CHANGED', 'Kept in .data']);
    await dev.interrupt({ all: true });

    await run('npm', ['run', 'build'], directory);
    await using started = new ObservedProcess('npm', ['start'], { directory });
    await started.until(/order-book ready in/);
    expect(await titles(started)).toEqual(['CHANGED', 'Kept in .data']);
  }, 600_000);

  test('the steps of the Dockerfile', async () => {
    const { folder: directory } = createService({ folder: join(place, 'in-image') });
    useTarballs(directory, packages);
    const stage = buildDockerfile(directory, join(place, 'image'));

    expect(stage).toMatchObject({ image: 'node:24-slim', user: 'node', variables: { NODE_ENV: 'production' } });
    const [program, file = '', ...words] = stage.command;
    expect(program).toBe('node');
    const inImage = join(stage.root, stage.directory);
    const variables = { ...stage.variables, PORT: '0', ADMIN_PORT: '0' };
    await using service = new ObservedProcess(process.execPath, [file, ...words], { directory: inImage, variables });
    await service.until(/in-image ready in/);
    expect(existsSync(join(inImage, '.data/PG_VERSION'))).toBe(true);
    expect(existsSync(join(inImage, 'node_modules/vitest'))).toBe(false);
    expect(await service.interrupt()).toBe(0);
  }, 600_000);

  test.skipIf(!hasPnpm)(
    'pnpm install, pnpm test, pnpm dev',
    async () => {
      const { folder: directory } = createService({ folder: join(place, 'by-pnpm'), packages });
      const overrides = Object.entries(packages).map(([name, file]) => `  "${name}": "${file}"\n`);
      const workspace = join(directory, 'pnpm-workspace.yaml');
      const given = existsSync(workspace) ? readFileSync(workspace, 'utf8') : '';
      writeFileSync(workspace, `${given}overrides:\n${overrides.join('')}`);
      await run('npx', [...pnpm, 'install', '--prefer-offline'], directory);
      expect(await run('npx', [...pnpm, 'test'], directory)).toMatch(/Tests\s+7 passed/);
      await using dev = new ObservedProcess('npx', [...pnpm, 'dev'], { directory });
      await dev.until(/\[dev\] ready in/);
      expect(await write(dev, 'By pnpm')).toBe(201);
    },
    600_000,
  );
});

/** Runs a command to its end; resolves to what it printed. */
async function run(program: string, words: readonly string[], cwd: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const options = { cwd, env: personalVariables(), maxBuffer: 2 ** 26 };
  execFile(program, words, options, (error, stdout, stderr) => {
    if (error === null) resolve(stdout);
    else reject(new Error(`${program} ${words.join(' ')} failed:\n${stdout}${stderr}`));
  });
  return promise;
}

/** Makes `npm install` take the tarballs for the packages of Keelson, which are not in the registry. */
function useTarballs(folder: string, packages: Readonly<Record<string, string>>): void {
  const file = join(folder, 'package.json');
  const { dependencies, ...rest } = JSON.parse(readFileSync(file, 'utf8'));
  const changed = Object.entries(dependencies).map(([name, version]) => [name, packages[name] ?? version]);
  // Those that others depend on come from tarballs, too.
  writeFileSync(file, JSON.stringify({ ...rest, dependencies: Object.fromEntries(changed), overrides: packages }));
}
