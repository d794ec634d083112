import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createTestKernel } from '@keelson/core/testing';
import { differentFiles, filesOf } from '@keelson/test-support/page-files';
import { runKeelson } from '@keelson/test-support/run-keelson';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const directory = fileURLToPath(new URL('cache-slot', import.meta.url));
const page = readFileSync(new URL('../../docs/tutorial-cache-slot.md', import.meta.url), 'utf8');
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'keelson-cache-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test('docs/tutorial-cache-slot.md shows the files of a folder as they are', () => {
  expect(Object.keys(filesOf('tutorial-cache-slot.md'))).toHaveLength(8);
  expect(differentFiles(filesOf('tutorial-cache-slot.md'), directory)).toEqual([]);
});

describe('keelson prints what the page shows', () => {
  const shown = [...page.matchAll(/^\$ keelson (.*)\n([\s\S]*?)^```$/gm)].map(([, words = '', output = '']) => ({
    words,
    output,
  }));

  test.each(shown)('$words', async ({ words, output }) => {
    const { code, stdout } = await runKeelson(words.split(' '), { directory });
    expect({ code, stdout }).toEqual({ code: 0, stdout: output });
  });

  test('of the file cache too', async () => {
    const words = ['verify', './src/file-cache.plugin.ts', '--set', `folder=${folder}`];
    expect((await runKeelson(words, { directory })).stdout).toContain('file-cache: 9 passed');
  });
});

test.each([
  ['in memory', '', false],
  ['in files, at the first start', 'production', false],
  ['in files, at the next', 'production', true],
  ['nowhere', 'bare', false],
])('the cache keeps the price %s', async (_where, environment, known) => {
  await using kernel = await createTestKernel({
    config: join(directory, 'keelson.yaml'),
    ...(environment !== '' && { environment }),
    variables: environment === 'production' ? { KEELSON_CACHE__FOLDER: folder } : {},
  });
  expect(kernel.logger.find('price')?.facts).toMatchObject({ known });
});
