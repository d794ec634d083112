import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const bin = fileURLToPath(new URL('../../bin/keelson.js', import.meta.url));
const source = readFileSync(bin, 'utf8');
const { engines } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));

/** A Node on this machine that is too old, when there is one. */
const old = [...(process.env.PATH ?? '').split(delimiter), '/usr/bin', '/usr/local/bin']
  .map(folder => join(folder, 'node'))
  .find(node => existsSync(node) && isOld(node));

function isOld(node: string): boolean {
  const { stdout } = spawnSync(node, ['-p', 'process.versions.node'], { encoding: 'utf8' });
  return Number.parseInt(stdout, 10) < 22;
}

test('the package ships the templates of keelson new, and not how they are type-checked', () => {
  const cwd = fileURLToPath(new URL('../..', import.meta.url));
  const { stdout } = spawnSync('npm', ['pack', '--dry-run', '--json'], { cwd, encoding: 'utf8' });
  const files: string[] = JSON.parse(stdout)[0].files.map(({ path }: { path: string }) => path);
  const templates = readdirSync(join(cwd, 'templates'), { recursive: true, withFileTypes: true }).filter(each =>
    each.isFile(),
  );
  expect(files.filter(file => file.startsWith('templates/'))).toHaveLength(templates.length);
  expect(files.filter(file => file.includes('tsconfig'))).toEqual([]);
});

describe('the bin', () => {
  test('holds nothing that an old Node would refuse to read: no static import, no await at the top', () => {
    expect(source).not.toMatch(/^\s*(import\s+[^(]|export\b|await\b)/m);
    expect(source).not.toMatch(/\?\.|\?\?|\bawait\b/);
  });

  test('asks for the Node that the package asks for', () => {
    const needed = /needed = \[(\d+), (\d+)\]/.exec(source);
    expect(engines.node).toBe(`>=${needed?.[1]}.${needed?.[2]}`);
  });

  test('names the required version in one sentence on a Node that is too old, and exits with 2', () => {
    const pretend = `data:text/javascript,Object.defineProperty(process.versions, 'node', { value: '22.16.0' })`;
    const { status, stdout, stderr } = spawnSync(process.execPath, ['--import', pretend, bin, 'check'], {
      encoding: 'utf8',
    });
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toBe(`Keelson needs Node >= 22.17; this is 22.16.0, at ${process.execPath}.\n`);
  });

  test.skipIf(old === undefined)('does the same on a real old Node', () => {
    const { status, stdout, stderr } = spawnSync(old ?? '', [bin, 'check'], { encoding: 'utf8' });
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toMatch(/^Keelson needs Node >= 22\.17; this is \d+\.\d+\.\d+, at .*\.\n$/);
  });
});
