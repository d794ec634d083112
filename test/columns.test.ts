import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runKeelson } from '@keelson/core/cli';
import { copyEmptyPglite } from '@keelson/test-support/empty-pglite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const columns = 80;
const config = fileURLToPath(new URL('../examples/orders/keelson.yaml', import.meta.url));

const folder = mkdtempSync(join(tmpdir(), 'keelson-columns-'));
const data = join(folder, 'data');
beforeAll(() => copyEmptyPglite(data), 120_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What each prints at a terminal of 80 columns. `schema`, `completion` and `graph` print data, and no line is broken. */
const calls = [
  'check',
  'doctor',
  'explain',
  'explain database',
  'migrate status',
  'run',
  'do',
  'reload',
  'status',
  'verify nothing-there',
  'explain nothing-there',
  'do nothing there',
  'check --config=nowhere/to/be/found.yaml',
  'start --config=nowhere/to/be/found.yaml',
  'bundle --config=nowhere/to/be/found.yaml',
  'new',
  'nonsense',
  'check --nonsense',
];

async function linesOf(words: readonly string[]): Promise<readonly string[]> {
  const lines: string[] = [];
  const print = (text: string) => lines.push(...text.split('\n'));
  const variables = { PORT: '0', ADMIN_PORT: '0', KEELSON_DATABASE__DATA_DIR: data };
  await runKeelson(words, { variables, out: print, err: print, columns: { out: columns, err: columns } });
  expect(lines.join('')).not.toBe('');
  return lines;
}

/** Wider than the terminal, although it could be broken: a path, a URL or a value is one word. */
const tooWide = (lines: readonly string[]) =>
  lines.filter(
    line =>
      line.length > columns &&
      line
        .trim()
        .replace(/^(->|-) /, '')
        .includes(' '),
  );

describe('at a terminal of 80 columns', () => {
  test.each(calls)(
    'keelson %s has no wider line',
    async call => {
      const [name = '', ...rest] = call.split(' ');
      const configured = rest.some(word => word.startsWith('--')) || ['nonsense', 'new'].includes(name);
      expect(tooWide(await linesOf([name, ...rest, ...(configured ? [] : ['--config', config])]))).toEqual([]);
    },
    120_000,
  );

  let commands: readonly string[] = [];
  beforeAll(async () => {
    commands = (await linesOf(['--help'])).flatMap(line => /^ {2}([a-z]+) {2,}/.exec(line)?.[1] ?? []);
  });

  test('no help of a command has a wider line', async () => {
    expect(commands).toContain('doctor');
    for (const command of commands) {
      expect(tooWide(await linesOf([command, '--help']))).toEqual([]);
    }
  });
});
