import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Kernel } from '@keelson/core';
import { eventually } from '@keelson/test-support/eventually';
import { packPackages } from '@keelson/test-support/packed-packages';
import { createService } from 'create-keelson';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';

const root = fileURLToPath(new URL('../', import.meta.url));
const ofThisRun =
  /^(npm_(?!config_(registry|userconfig|cache)$)|vitest|force_color$|test$|node_(options|env)$|keelson_|port$|database_url$|log_level$)/i;
const run = promisify(execFile);

const place = mkdtempSync(join(tmpdir(), 'keelson-create-'));
// A server that may not run as root has its data below.
chmodSync(place, 0o755);
afterAll(() => rmSync(place, { recursive: true, force: true }));

const ownTemporary = join(place, 'tmp');
mkdirSync(ownTemporary);

/** Those of a person: certificates and proxies count, and nothing that npm and Vitest have set for this run. */
const variables = {
  ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !ofThisRun.test(name))),
  NO_COLOR: '1',
  TMPDIR: ownTemporary,
  NODE_COMPILE_CACHE: join(tmpdir(), 'node-compile-cache'),
};

/** Whether packages can be installed here. */
const { status: registry } = spawnSync('npm', ['ping', '--fetch-retries=0', '--fetch-timeout=5000'], { cwd: place });
const pnpmVersion = '11';
const hasPnpm =
  registry === 0 && spawnSync('npx', ['--yes', `pnpm@${pnpmVersion}`, '--version'], { cwd: place }).status === 0;

let made = 0;

/** A service whose packages are those of the repository. */
function linkedService(options: Omit<Parameters<typeof createService>[0], 'folder'> = {}): string {
  const { folder } = createService({ folder: join(place, `linked-${++made}`), ...options });
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'), 'junction');
  return folder;
}

interface Development {
  readonly child: ChildProcess;
  readonly output: () => string;
  /** Resolves when the output since the last call has `text`. */
  until(text: RegExp): Promise<void>;
  readonly url: () => string;
}

/** Runs a development server until the test has ended. */
function develop(program: string, words: readonly string[], folder: string): Development {
  const child = spawn(program, words, { cwd: folder, env: { ...variables, PORT: '0' }, detached: true });
  let output = '';
  let seen = 0;
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  onTestFinished(async () => {
    if (child.exitCode !== null || child.pid === undefined) return;
    process.kill(-child.pid, 'SIGINT');
    await once(child, 'close');
  });
  const until = async (text: RegExp) => {
    const find = () => {
      const at = output.slice(seen).search(text);
      return (at >= 0 || child.exitCode !== null) && { at };
    };
    const { at } = await eventually(find, { timeoutMs: 120_000, that: `${text} in ${output.slice(seen)}` });
    if (at < 0) throw new Error(`It ended, and printed:\n${output}`);
    seen += at + 1;
  };
  const url = () => [...output.matchAll(/http:\/\/127\.0\.0\.1:\d+/g)].at(-1)?.[0] ?? '';
  return { child, output: () => output, until, url };
}

async function write(url: string, text: string): Promise<number> {
  const response = await fetch(`${url}/notes`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ text }),
  });
  return response.status;
}

async function titles(url: string): Promise<unknown> {
  const notes: unknown = await (await fetch(`${url}/notes`)).json();
  return Array.isArray(notes) ? notes.map(({ title }) => title) : notes;
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

test('keelson dev --postgres starts a PostgreSQL, migrates it, keeps its data, and reports tables that differ', async () => {
  const directory = linkedService({ database: 'postgresql' });
  const keelson = join(root, 'core/bin/keelson.js');
  const first = develop(process.execPath, [keelson, 'dev', '--postgres'], directory);
  await first.until(/\[dev\] PostgreSQL runs/);
  await first.until(/\[dev\] ready in/);
  expect(await write(first.url(), 'Kept by PostgreSQL')).toBe(201);

  const entity = join(directory, 'src/notes/note.ts');
  const text = readFileSync(entity, 'utf8');
  writeFileSync(entity, text.replace('text: p.text(),', 'text: p.text(),\n    colour: p.text(),'));
  await first.until(/the schema differs from the entities/);
  await first.until(/\[dev\] restarted, ready in/);
  writeFileSync(entity, text);
  await first.until(/\[dev\] restarted, ready in/);
  process.kill(first.child.pid ?? 0, 'SIGINT');
  expect(await once(first.child, 'close')).toEqual([0, null]);
  expect(existsSync(join(directory, '.data/postgres/data/postmaster.pid'))).toBe(false);

  const second = develop(process.execPath, [keelson, 'dev', '--postgres'], directory);
  await second.until(/\[dev\] ready in/);
  expect(await titles(second.url())).toEqual(['Kept by PostgreSQL']);
}, 300_000);

describe.skipIf(registry !== 0)('from the tarballs of all packages, in an empty folder', () => {
  let packages: Readonly<Record<string, string>> = {};
  beforeAll(async () => {
    packages = Object.fromEntries([...(await packPackages())].map(([name, file]) => [name, `file:${file}`]));
  }, 180_000);

  const install = (program: string, words: readonly string[], cwd: string) =>
    run(program, [...words], { cwd, env: variables, maxBuffer: 2 ** 26 }).catch(
      (error: { stdout?: string; stderr?: string }) => {
        throw new Error(`${program} ${words.join(' ')}: ${error.stdout}${error.stderr}`);
      },
    );

  test('npm create, npm install, npm test, npm run dev, npm run build, npm start', async () => {
    const maker = join(place, 'maker');
    await install('npm', ['install', '--prefix', maker, '--prefer-offline', packages['create-keelson'] ?? ''], place);
    const words = ['order-book', '--yes'];
    const { stdout } = await install(join(maker, 'node_modules/.bin/create-keelson'), words, place);
    expect(stdout).toContain('npm install');
    const folder = join(place, 'order-book');
    useTarballs(folder, packages);
    await install('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund'], folder);
    expect(existsSync(join(folder, 'keelson.schema.json'))).toBe(true);
    expect((await install('npm', ['test'], folder)).stdout).toMatch(/Tests\s+7 passed/);

    const dev = develop('npm', ['run', 'dev'], folder);
    await dev.until(/\[dev\] ready in/);
    expect(await write(dev.url(), 'Kept in .data')).toBe(201);
    const file = join(folder, 'src/notes/title-of.ts');
    writeFileSync(file, readFileSync(file, 'utf8').replace('line.trim()', 'line.trim().toUpperCase()'));
    await dev.until(/\[dev\] changed: src\/notes\/title-of\.ts/);
    await dev.until(/\[dev\] restarted, ready in/);
    expect(await write(dev.url(), 'changed')).toBe(201);
    expect(await titles(dev.url())).toEqual(['CHANGED', 'Kept in .data']);
    process.kill(-(dev.child.pid ?? 0), 'SIGINT');
    await once(dev.child, 'close');

    await install('npm', ['run', 'build'], folder);
    const started = develop('npm', ['start'], folder);
    await started.until(/ready in/);
    expect(await titles(started.url())).toEqual(['CHANGED', 'Kept in .data']);
  }, 600_000);

  test.skipIf(!hasPnpm)(
    'pnpm install, pnpm test, pnpm dev',
    async () => {
      const { folder } = createService({ folder: join(place, 'by-pnpm'), packages });
      const overrides = Object.entries(packages).map(([name, file]) => `  "${name}": "${file}"\n`);
      const workspace = join(folder, 'pnpm-workspace.yaml');
      const given = existsSync(workspace) ? readFileSync(workspace, 'utf8') : '';
      writeFileSync(workspace, `${given}overrides:\n${overrides.join('')}`);
      const pnpm = ['--yes', `pnpm@${pnpmVersion}`];
      await install('npx', [...pnpm, 'install', '--prefer-offline'], folder);
      expect((await install('npx', [...pnpm, 'test'], folder)).stdout).toMatch(/Tests\s+7 passed/);
      const dev = develop('npx', [...pnpm, 'dev'], folder);
      await dev.until(/\[dev\] ready in/);
      expect(await write(dev.url(), 'By pnpm')).toBe(201);
      expect(readdirSync(join(folder, '.data'))).not.toEqual([]);
    },
    600_000,
  );
});

/** Makes `npm install` take the tarballs for the packages of Keelson, which are not in the registry. */
function useTarballs(folder: string, packages: Readonly<Record<string, string>>): void {
  const file = join(folder, 'package.json');
  const { dependencies, ...rest } = JSON.parse(readFileSync(file, 'utf8'));
  const changed = Object.entries(dependencies).map(([name, version]) => [name, packages[name] ?? version]);
  writeFileSync(file, JSON.stringify({ ...rest, dependencies: Object.fromEntries(changed) }));
}
