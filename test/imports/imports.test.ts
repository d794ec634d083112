import { globSync } from 'node:fs';
import { dirname, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import {
  circles,
  foreignImplementations,
  importsOf,
  readPackage,
  type SourcePackage,
  unlistedVendors,
  unusedVendors,
  upwardImports,
} from './import-graph.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const folders = globSync(
  ['core/package.json', 'core/create-keelson/package.json', 'plugins/*/package.json', 'examples/*/package.json'],
  { cwd: root },
)
  .map(file => dirname(file).split(sep).join('/'))
  .sort();
const packages = folders.map(folder => readPackage(root, folder));
const implementations = packages.filter(({ folder }) => !folder.startsWith('examples/'));

test('in core, imports go down the list of layers', () => {
  const [core] = packages.filter(({ folder }) => folder === 'core');
  expect(core && upwardImports(core)).toEqual([]);
});

describe.each(packages)('$folder', source => {
  test('has no files that import each other', () => {
    expect(circles(source)).toEqual([]);
  });
});

describe.each(implementations)('$folder', source => {
  test('imports contracts, and no other implementation', () => {
    expect(foreignImplementations(source)).toEqual([]);
  });

  test('imports a vendor only in the files that its package.json lists for it', () => {
    expect(unlistedVendors(source)).toEqual([]);
    expect(unusedVendors(source)).toEqual([]);
  });
});

describe('the check itself', () => {
  const sourceOf = (texts: Record<string, string>, vendors: SourcePackage['vendors'] = {}): SourcePackage => ({
    name: '@keelson/sample',
    folder: 'core',
    imports: Object.entries(texts).flatMap(([file, text]) => importsOf(file, text)),
    vendors,
  });

  test('finds an import that goes up, of a type too', () => {
    const source = sourceOf({ 'core/src/plan/a.ts': "import type {\n  B,\n} from '../life/b.js';" });
    expect(upwardImports(source)).toEqual(['core/src/plan/a.ts -> core/src/life/b.ts']);
  });

  test('finds a circle through a dynamic import and a re-export', () => {
    const source = sourceOf({
      'core/src/plan/a.ts': "const b = await import('./b.js');",
      'core/src/plan/b.ts': "export { c } from './a.js';",
    });
    expect(circles(source)).toEqual([['core/src/plan/a.ts', 'core/src/plan/b.ts', 'core/src/plan/a.ts']]);
  });

  test('finds another implementation, and a vendor outside of its files', () => {
    const source = sourceOf(
      { 'core/src/a.ts': "import '@keelson/health';\nimport { Pool } from 'pg';\nimport x from '@scope/x/y';" },
      { pg: ['src/pool.ts'], '@scope/x': ['src/*.ts'] },
    );
    expect(foreignImplementations(source)).toEqual(['core/src/a.ts -> @keelson/health']);
    expect(unlistedVendors(source)).toEqual(['core/src/a.ts -> pg']);
    expect(unusedVendors(source)).toEqual(['core: pg in src/pool.ts']);
  });
});
