import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { KeelsonError } from '../contract/keelson-error.js';
import { errorPlace } from './error-place.js';

const folder = mkdtempSync(join(tmpdir(), 'keelson-place-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const broken = join(folder, 'a b', 'notes.plugin.ts');

function thrown(stack: string): Error {
  return Object.assign(new TypeError('x'), { stack });
}

test('the place of an error is the first frame outside packages and Node', () => {
  const inPackage = pathToFileURL(join(folder, 'node_modules/pg/lib/client.js')).href;
  const stack = [
    'TypeError: x',
    '    at Array.map (<anonymous>)',
    '    at node:internal/process/task_queues:105:5',
    `    at Client.query (${inPackage}:4:2)`,
    `    at async Object.start (${pathToFileURL(broken).href}:12:5)`,
    `    at ${pathToFileURL(broken).href}:20:1`,
  ];
  expect(errorPlace(thrown(stack.join('\n')))).toBe(`${broken}:12:5`);
});

test('the place of a syntax error is that which Node writes above it', () => {
  const stack = `${pathToFileURL(broken).href}:4\nfoo(a a)\n      ^\n\nSyntaxError: x\n    at node:internal/modules/typescript:72:36`;
  expect(errorPlace(thrown(stack))).toBe(`${broken}:4`);
});

test('an error of a package alone, an error that explains itself, and what is no error have no place', async () => {
  const file = join(folder, 'thrower.mjs');
  writeFileSync(file, 'export const make = Of => new Of({ code: "X_Y", message: "x" });');
  const { make } = await import(pathToFileURL(file).href);
  expect(errorPlace(make(Error))).toBe(`${file}:1:27`);
  expect(errorPlace(make(KeelsonError))).toBeUndefined();
  expect(errorPlace(thrown('TypeError: x\n    at node:net:1:1'))).toBeUndefined();
  expect(errorPlace('x')).toBeUndefined();
});
