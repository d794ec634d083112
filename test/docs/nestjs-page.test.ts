import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { filesOf } from '@keelson/test-support/page-files';
import { afterAll, expect, test } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'keelson-nestjs-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const page = readFileSync(join(root, 'docs/from-nestjs.md'), 'utf8');
const nestFiles = [...page.matchAll(/^```ts\n\/\/ nestjs: (\S+)\n([\s\S]*?)^```$/gm)];
const { 'src/note.ts': note = '' } = filesOf('from-nestjs.md');

/** As a new project of Nest sets them, without output. */
const compilerOptions = {
  target: 'es2023',
  module: 'esnext',
  moduleResolution: 'bundler',
  strict: true,
  skipLibCheck: true,
  noEmit: true,
  experimentalDecorators: true,
  emitDecoratorMetadata: true,
  types: ['node'],
};

/** What the compiler prints. */
async function compile(name: string, files: Readonly<Record<string, string>>): Promise<string> {
  const project = join(folder, name);
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(project, path)), { recursive: true });
    writeFileSync(join(project, path), text);
  }
  symlinkSync(join(root, 'node_modules'), join(project, 'node_modules'), 'junction');
  writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['src'] }));
  const words = [join(root, 'node_modules/typescript/bin/tsc'), '-p', project];
  const ended = await promisify(execFile)(process.execPath, words).catch((error: { stdout: string }) => error);
  return ended.stdout;
}

test('the files of NestJS on the page compile, beside the entity of the page', async () => {
  const files = Object.fromEntries(nestFiles.map(([, path = '', text = '']) => [path, text]));
  expect(Object.keys(files)).toEqual(['src/notes.service.ts', 'src/notes.controller.ts', 'src/main.ts']);
  expect(await compile('page', { ...files, 'src/note.ts': note })).toBe('');
  const lacking = { ...files, 'src/note.ts': note.replace('text: p.text()', 'title: p.text()') };
  expect(await compile('lacking', lacking)).toContain("'text' does not exist");
}, 60_000);
