import { existsSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { root } from './packages.ts';

const places: readonly (readonly [file: RegExp, page: string])[] = [
  [/^docs\/tutorial\.md$/, 'index.md'],
  [/^docs\/adr\/README\.md$/, 'adr/index.md'],
  [/^docs\/(.+)$/, '$1'],
  [/^core\/README\.md$/, 'packages/core.md'],
  [/^(?:core|plugins)\/([^/]+)\/README\.md$/, 'packages/$1.md'],
  [/^examples\/([^/]+)\/README\.md$/, 'examples/$1.md'],
  [/^test\/bench\/README\.md$/, 'bench/index.md'],
  [/^test\/bench\/([^/]+)$/, 'bench/$1'],
  [/^deploy\/README\.md$/, 'deploy.md'],
  [/^README\.md$/, 'overview.md'],
  [/^CHANGELOG\.md$/, 'changelog.md'],
  [/^CONTRIBUTING\.md$/, 'contributing.md'],
];

/** Returns the page of a file of the repository: `plugins/http/README.md` is `packages/http.md`. Undefined when it has none. */
export function pageOf(file: string): string | undefined {
  if (!file.endsWith('.md')) return undefined;
  const place = places.find(([pattern]) => pattern.test(file));
  return place && file.replace(...place);
}

/** Pages of the repository that are not on the site. */
export const notPages = [
  '**/node_modules/**',
  '**/dist/**',
  'core/docs/**',
  'core/templates/**',
  'core/create-keelson/template*/**',
];

const published = /^https:\/\/unpkg\.com\/@keelson\/core\/(docs\/[^#]+)(#.*)?$/;
const ofPackage = /^https:\/\/www\.npmjs\.com\/package\/@keelson\/([^#/]+)(#.*)?$/;

/**
 * Returns the file, from the root of the repository, that a link of a page leads to, with its fragment. Undefined when
 * the link leads out of the repository.
 *
 * @param page the file of the page, from the root
 */
export function fileOfLink(
  link: string,
  page: string,
): { readonly file: string; readonly fragment: string } | undefined {
  const [, document, documentFragment = ''] = published.exec(link) ?? [];
  if (document !== undefined) return { file: document, fragment: documentFragment };
  const [, plugin, pluginFragment = ''] = ofPackage.exec(link) ?? [];
  if (plugin !== undefined) {
    return { file: plugin === 'core' ? 'core/README.md' : `plugins/${plugin}/README.md`, fragment: pluginFragment };
  }
  if (/^([a-z]+:|#|\/)/.test(link)) return undefined;
  const [path = '', fragment] = link.split('#');
  const file = relative(root, join(root, dirname(page), decodeURI(path))).replaceAll('\\', '/');
  return { file: readable(file), fragment: fragment === undefined ? '' : `#${fragment}` };
}

/** A folder is read by its README. */
function readable(path: string): string {
  const readme = join(root, path, 'README.md');
  return existsSync(readme) && statSync(join(root, path)).isDirectory() ? `${path}/README.md` : path;
}
