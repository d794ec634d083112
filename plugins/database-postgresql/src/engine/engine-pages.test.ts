import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type DatabaseCapability, databaseCapabilities, type EngineProduct } from '@keelson/database';
import { runKeelson } from '@keelson/test-support/run-keelson';
import { describe, expect, test } from 'vitest';
import { products } from './products.js';

const docs = (path: string) => readFileSync(new URL(`../../../../docs/${path}`, import.meta.url), 'utf8');

const pages: readonly (readonly [page: string, product: EngineProduct])[] = [
  ['citus', 'citus'],
  ['yugabytedb', 'yugabytedb'],
  ['cockroachdb', 'cockroachdb'],
  ['aurora-dsql', 'unknown'],
];

/** What `text` says of each capability, by its table of those that are not there. */
function absent(text: string): Map<string, string> {
  return new Map(
    [...text.matchAll(/^\| `([a-z-]+)` +\| (.*?) *\|$/gm)].map(([, name = '', does = '']) => [name, does]),
  );
}

const withoutEach = absent(docs('database.md').split('| without the capability')[1]?.split('\n\n')[0] ?? '');

test('docs/database.md says of every capability what happens without it', () => {
  expect([...withoutEach.keys()].toSorted()).toEqual([...databaseCapabilities].toSorted());
});

describe.each(pages)('docs/engines/%s.md', (page, product) => {
  const text = docs(`engines/${page}.md`);

  test('names what the product is known to lack, and says of each what docs/database.md says', () => {
    const lacks = Object.keys(products[product].lacks) as DatabaseCapability[];
    const said = absent(text);
    expect([...said.keys()].toSorted()).toEqual(lacks.toSorted());
    for (const [name, does] of said) expect(does, name).toBe(withoutEach.get(name));
  });

  test('says that conflicts are normal where they are', () => {
    expect(text.includes('`conflicts: normal`')).toBe(products[product].conflicts === 'normal');
  });

  test('has a configuration that keelson check accepts', async () => {
    const [, yaml] = /```yaml\n(.*?)```/s.exec(text) ?? [];
    // Where the packages of the repository are found.
    const cache = fileURLToPath(new URL('../../../../node_modules/.cache/', import.meta.url));
    await mkdir(cache, { recursive: true });
    const folder = await mkdtemp(join(cache, 'engine-page-'));
    try {
      const config = join(folder, 'keelson.yaml');
      await writeFile(config, `service: pages\n${yaml}`);
      const variables = { DATABASE_URL: 'postgresql://orders@db:5432/orders' };
      const { code, stdout, stderr } = await runKeelson(['check', '--config', config], { variables });
      expect(code, stdout + stderr).toBe(0);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
