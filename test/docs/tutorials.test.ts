import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { HttpServer, Kernel } from '@keelson/core';
import { copyEmptyPglite } from '@keelson/test-support/empty-pglite';
import { differentFiles, filesOf } from '@keelson/test-support/page-files';
import { runKeelson } from '@keelson/test-support/run-keelson';
import { send } from '@keelson/test-support/service-process';
import { parse as parseJava } from 'java-parser';
import { afterAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';

const folderOf = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const tutorial = folderOf('tutorial');
const folder = mkdtempSync(join(tmpdir(), 'keelson-tutorial-'));
const data = join(folder, 'data');
const variables = { DATABASE_URL: 'postgresql://user:password@localhost/notes', KEELSON_DATABASE__DATA_DIR: data };

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The folders are checked by the compiler, and their tests run with all others. */
describe.each([
  ['tutorial.md', 'tutorial', 5],
  ['from-nestjs.md', 'side-by-side', 4],
  ['from-spring.md', 'side-by-side', 4],
])('docs/%s', (page, name, count) => {
  test('shows the files of a folder as they are', () => {
    expect(Object.keys(filesOf(page))).toHaveLength(count);
    expect(differentFiles(filesOf(page), folderOf(name))).toEqual([]);
  });
});

test('the service of the tutorial runs as the page says', async () => {
  const explained = await runKeelson(['explain', 'notes.maxLength'], { directory: tutorial, variables });
  expect(explained.stdout).toContain('notes.maxLength = 500  (keelson.yaml:8:');

  await copyEmptyPglite(data);
  await using kernel = await Kernel.start({
    config: join(tutorial, 'keelson.yaml'),
    variables: { ...variables, PORT: '0', KEELSON_LOGGER__USE: 'none' },
  });
  const { url } = kernel.container.get(HttpServer);
  expect(await send(`${url}/notes`, 'POST', { text: 'Milk' })).toMatchObject({ status: 201, body: { id: 1 } });
  expect(await send(`${url}/notes`, 'POST', { text: '' })).toMatchObject({ status: 422 });
  expect(await send(`${url}/notes`, 'GET')).toMatchObject({ body: [{ id: 1, text: 'Milk' }] });
  expect(await send(`${url}/readyz`, 'GET')).toMatchObject({ status: 200 });
  expect(await send(`${url}/docs/`, 'GET')).toMatchObject({ status: 200 });
}, 120_000);

test.each([
  ['tutorial', 'production'],
  ['side-by-side', ''],
])('the configuration of %s holds: %s', async (name, environment) => {
  const { DATABASE_URL } = variables;
  const { code, stdout } = await runKeelson(['check'], {
    directory: folderOf(name),
    variables: { DATABASE_URL, ...(environment !== '' && { KEELSON_ENV: environment }) },
  });
  expect(code).toBe(0);
  expect(stdout).toContain('@keelson/database-postgresql');
});

const springPage = () => readFileSync(new URL('../../docs/from-spring.md', import.meta.url), 'utf8');

test('the Java of Spring is Java', () => {
  const blocks = [...springPage().matchAll(/```java\n([\s\S]*?)```/g)].map(([, code = '']) => code);
  expect(blocks).toHaveLength(2);
  for (const code of blocks) expect(() => parseJava(code)).not.toThrow();
});

test('the YAML of Spring is YAML', () => {
  const page = springPage();
  const [, yaml = ''] = /```yaml\n# spring: application.yml\n([\s\S]*?)```/.exec(page) ?? [];
  expect(parse(yaml)).toMatchObject({ server: { shutdown: 'graceful' } });
});
