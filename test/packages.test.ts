import { execFile } from 'node:child_process';
import {
  cpSync,
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
import { dirname, join, posix } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core';
import { createTestDatabase } from '@keelson/test-support/database';
import { ObservedProcess, personalVariables } from '@keelson/test-support/observed-process';
import { madePackages, packPackages, publishedPackages } from '@keelson/test-support/packed-packages';
import { recordModules } from '@keelson/test-support/recorded-modules';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';

const root = fileURLToPath(new URL('../', import.meta.url));
const run = promisify(execFile);

const packageFile = z.looseObject({
  name: z.string(),
  version: z.string(),
  exports: z.record(z.string(), z.unknown()),
  dependencies: z.record(z.string(), z.string()).default({}),
  peerDependencies: z.record(z.string(), z.string()).default({}),
  private: z.boolean().optional(),
});

const sourceMap = z.looseObject({ sources: z.array(z.string()), sourcesContent: z.array(z.string()).optional() });

const published = publishedPackages.map(({ folder }) => ({ folder, ...readPackage(join(root, folder)) }));

const place = mkdtempSync(join(tmpdir(), 'keelson-packages-'));
const modules = join(place, 'node_modules');
let tarballs: ReadonlyMap<string, string> = new Map();

// What a user installs: the tarballs, unpacked; of all else only what a package names.
beforeAll(async () => {
  tarballs = await packPackages();
  for (const one of published) {
    const folder = join(modules, one.name);
    mkdirSync(folder, { recursive: true });
    await run('tar', ['-xzf', tarballOf(one), '-C', folder, '--strip-components=1']);
  }
  for (const { name } of published) {
    const { dependencies, peerDependencies } = readPackage(join(modules, name));
    for (const needed of Object.keys({ ...dependencies, ...peerDependencies })) link(needed, name);
  }
  for (const needed of ['typescript', '@types/node']) link(needed, '');
}, 240_000);

afterAll(() => rmSync(place, { recursive: true, force: true }));

describe.each(published)('$name', one => {
  const folder = join(modules, one.name);

  test('is in order for those who install it', async () => {
    const { messages, pkg } = await publint({ pkgDir: folder, level: 'warning', pack: false });
    const texts = messages.map(message => formatMessage(message, pkg, { color: false }));
    // What `keelson new plugin` copies becomes a package of its own.
    expect(texts.filter(text => !/^\.\/templates?\//.test(text ?? ''))).toEqual([]);
  });

  test('has the types that its code has', async () => {
    const result = await checkPackage(createPackageFromTarballData(readFileSync(tarballOf(one))));
    const problems = result.types === false ? ['no types'] : result.problems.map(({ kind }) => kind);
    // Every package is an ES module; Node loads it by `require` as well. What is resolved without `exports` is not supported.
    expect(problems.filter(kind => kind !== 'CJSResolvesToESM' && kind !== 'NoResolution')).toEqual([]);
  }, 60_000);

  test('brings its licence, the sources of its maps, and every file that its README links to', () => {
    expect(readFileSync(join(folder, 'LICENSE'), 'utf8')).toBe(readFileSync(join(root, 'LICENSE'), 'utf8'));
    for (const file of filesBelow(folder)) {
      if (!file.endsWith('.js.map')) continue;
      const { sources, sourcesContent } = sourceMap.parse(JSON.parse(readFileSync(join(folder, file), 'utf8')));
      // The compiler leaves behind what it has made of a file that is gone. A release is built from a clean checkout.
      const isCurrent = sources.every(source => existsSync(join(root, one.folder, dirname(file), source)));
      if (isCurrent) expect(sourcesContent, file).toHaveLength(sources.length);
    }
    expect(brokenLinks(folder)).toEqual([]);
  });

  test('shares the kernel with the service', () => {
    expect(one.dependencies).not.toHaveProperty('@keelson/core');
  });
});

test('the orders example runs on what is published: at its start, a quarter of the files that the sources have', async () => {
  const service = join(place, 'orders');
  const files = ['dist', 'keelson.yaml', 'keelson.postgres.yaml', 'package.json'];
  for (const file of files) cpSync(join(root, 'examples/orders', file), join(service, file), { recursive: true });
  for (const needed of Object.keys(readPackage(service).dependencies)) link(needed, '');

  const keelson = join(modules, '@keelson/core/bin/keelson.js');
  const checked = await run(process.execPath, [keelson, 'check'], { cwd: service, env: personalVariables() });
  expect(checked.stdout).toContain('@keelson/database-pglite');

  await using database = await createTestDatabase();
  const { variables, modules: recorded } = await recordModules();
  const chosen = { ...variables, KEELSON_ENV: 'postgres', DATABASE_URL: database.url };
  const options = { directory: service, variables: chosen };
  await using running = new ObservedProcess(process.execPath, [keelson, 'start'], options);
  await running.until(/ready in/);
  expect((await running.request('GET', '/orders')).status).toBe(200);
  expect((await running.request('GET', '/orders/none')).status).toBe(404);
  expect(await running.interrupt()).toBe(0);

  const loaded = await recorded();
  const own = loaded.filter(url => url.includes('/node_modules/@keelson/'));
  expect(own.filter(url => !url.startsWith(pathToFileURL(modules).href))).toEqual([]);
  // A few more than there are.
  expect(own.length).toBeLessThanOrEqual(140);
}, 60_000);

/** What a module that begins with these lines, in a service, prints. */
async function printed(lines: readonly string[], options: readonly string[] = []): Promise<string> {
  const words = [...options, '--input-type=module', '--eval', lines.join('\n')];
  return (await run(process.execPath, words, { cwd: place })).stdout.trim();
}

test('a stack trace through the bundled code names the sources', async () => {
  const lines = [
    `import { Kernel } from '@keelson/core';`,
    `await Kernel.start({ config: 'missing.yaml' }).catch(error => console.log(error.stack));`,
  ];
  expect(await printed(lines, ['--enable-source-maps'])).toMatch(/core\/src\/[\w/-]+\.ts:\d+/);
});

test('classes have their names', async () => {
  const lines = [`import * as core from '@keelson/core';`, `console.log(core.Kernel.name, core.KeelsonError.name);`];
  expect(await printed(lines)).toBe('Kernel KeelsonError');
});

test('the kernel makes a class with the decorators of Inversify that the service has installed', async () => {
  const lines = [
    `import { Kernel, serviceToken } from '@keelson/core';`,
    `import { inject, injectable, LazyServiceIdentifier, optional } from 'inversify';`,
    `const [Word, Missing] = [serviceToken('test/Word'), serviceToken('test/Missing')];`,
    `class Greeter { constructor(word, missing) { this.text = word + ', ' + missing; } }`,
    `injectable()(Greeter);`,
    `inject(new LazyServiceIdentifier(() => Word))(Greeter, undefined, 0);`,
    `inject(Missing)(Greeter, undefined, 1);`,
    `optional()(Greeter, undefined, 1);`,
    `const register = ({ bind }) => {`,
    `  bind(Word).toConstantValue('Hello');`,
    `  bind(Greeter).toSelf();`,
    `};`,
    `const greeting = { name: 'greeting', provides: [Word, Greeter], register, start: () => {} };`,
    `await using kernel = await Kernel.start({ config: { service: 'test' }, variables: {}, plugins: { greeting } });`,
    `console.log(kernel.container.get(Greeter).text);`,
  ];
  expect(await printed(lines)).toBe('Hello, undefined');
});

// As a release publishes them, but for the upload: an address that nobody serves shows that nothing is sent.
test('all could be published', async () => {
  const dry = ['--dry-run', '--json', '--tag', 'latest', '--registry', 'http://127.0.0.1:9', '--fetch-retries', '0'];
  const options = { cwd: madePackages(), shell: process.platform === 'win32', maxBuffer: 2 ** 26 };
  const { stdout } = await run('npm', ['publish', ...dry, '--workspaces'], options);
  // One JSON text for each package.
  const names = [...stdout.matchAll(/^\s*"id": "(.+)@[^@"]+",$/gm)].map(([, name]) => name);
  expect(names.toSorted()).toEqual(published.map(({ name }) => name).toSorted());
}, 120_000);

test.each(['nodenext', 'bundler'])(
  'all type-check in a strict project with the types of libraries checked: %s',
  async resolution => {
    const entries = published.flatMap(({ name, exports }) =>
      Object.keys(exports)
        .filter(key => !key.endsWith('.json'))
        .map(key => posix.join(name, key)),
    );
    const folder = join(place, resolution);
    mkdirSync(folder);
    writeFileSync(
      join(folder, 'all.ts'),
      entries.map((entry, index) => `import * as m${index} from '${entry}';\nvoid m${index};\n`).join(''),
    );
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ type: 'module' }));
    writeFileSync(
      join(folder, 'tsconfig.json'),
      JSON.stringify({
        compilerOptions: {
          strict: true,
          noEmit: true,
          skipLibCheck: false,
          target: 'es2024',
          lib: ['es2024', 'esnext.disposable'],
          types: ['node'],
          module: resolution === 'nodenext' ? 'nodenext' : 'preserve',
          moduleResolution: resolution,
        },
        files: ['all.ts'],
      }),
    );
    // Its threads check much of the types of libraries once each.
    const words = [join(root, 'node_modules/typescript/bin/tsc'), '--singleThreaded', '-p', folder];
    const { stdout } = await run(process.execPath, words, { env: personalVariables() }).catch((error: unknown) =>
      z.object({ stdout: z.string() }).parse(error),
    );
    expect(stdout.trim().split('\n').filter(Boolean)).toEqual([]);
  },
  120_000,
);

function readPackage(folder: string) {
  return packageFile.parse(JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')));
}

function tarballOf({ name }: { readonly name: string }): string {
  return tarballs.get(name) ?? '';
}

/** Makes the copy of the repository the one that `user` gets; nothing else can be imported. */
function link(name: string, user: string): void {
  const target = join(modules, name);
  if (existsSync(target)) return;
  const own = published.find(one => one.name === user);
  const places = [...(own === undefined ? [] : [join(root, own.folder)]), root];
  const found = places.map(at => join(at, 'node_modules', name)).find(existsSync);
  if (found === undefined) throw new Error(`${name} is not installed.`);
  mkdirSync(dirname(target), { recursive: true });
  symlinkSync(found, target, 'junction');
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' });
}

function brokenLinks(folder: string): string[] {
  const text = readFileSync(join(folder, 'README.md'), 'utf8');
  const links = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = '']) => link);
  return links.filter(link => !/^(https:|#)/.test(link) && !existsSync(join(folder, link.replace(/#.*/, ''))));
}
