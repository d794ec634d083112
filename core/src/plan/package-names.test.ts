import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { ownPlugins } from './package-names.js';

test('the plugins made here are those of the folder plugins that have a manifest', () => {
  const root = new URL('../../../plugins/', import.meta.url);
  const packages = readdirSync(root).map(name =>
    JSON.parse(readFileSync(new URL(`${name}/package.json`, root), 'utf8')),
  );
  const plugins = packages.filter(({ exports }) => './manifest' in exports).map(({ name }) => name);
  expect(ownPlugins).toEqual(plugins.sort());
});
