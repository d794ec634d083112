import { existsSync, globSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DefaultTheme } from 'vitepress';
import { pageOf } from './links.ts';
import { publishedPackages, root } from './packages.ts';

type Item = DefaultTheme.SidebarItem;

const packages = publishedPackages();

const sitePages = new Set(
  globSync(['*.md', 'docs/**/*.md', '{core,deploy,test/bench}/*.md', '{core,plugins,examples}/*/README.md'], {
    cwd: root,
  }).map(file => pageOf(file.replaceAll('\\', '/'))),
);

export function guideSidebar(): Item[] {
  return [
    group('Start', [
      page('Ten minutes', '/'),
      page('Overview', '/overview'),
      page('From NestJS', '/from-nestjs'),
      page('From Spring', '/from-spring'),
      page('Four walk-throughs', '/walk-throughs'),
      page('A complete service', '/examples/orders'),
    ]),
    group('Guides', [
      page('Configuration', '/configuration'),
      page('Lifecycle', '/lifecycle'),
      page('Database', '/database'),
      page('MikroORM', '/mikro-orm'),
      page('HTTP', '/http'),
      page('Testing', '/testing'),
      page('Development', '/development'),
      page('Bundling', '/bundling'),
      page('Logging', '/logging'),
      page('Telemetry', '/telemetry'),
      page('Metrics', '/metrics'),
      page('Health', '/health'),
    ]),
    group('Operating', [
      page('Errors', '/errors'),
      page('Observability', '/observability'),
      page('Console', '/console'),
      page('Outages', '/outages'),
      page('Topologies', '/topologies'),
      page('Slow statements', '/slow-statements'),
      page('Deployment', '/deploy'),
      page('Windows and macOS', '/platforms'),
      ...filesBelow('docs/engines').map(file => page(titleOf(file), `/${file.slice('docs/'.length, -3)}`)),
    ]),
    group('Plugins', [page('Writing a plugin', '/plugins'), page('A slot of your own', '/tutorial-cache-slot')]),
    group(
      'Packages',
      packages.map(({ name, slug }) => page(name, `/packages/${slug}`)),
      true,
    ),
    group(
      'Project',
      [
        page('Changes', '/changelog'),
        page('Contributing', '/contributing'),
        page('Decisions', '/adr/'),
        page('Dependencies', '/dependencies'),
        page('Simulation', '/simulation'),
        page('Measurements', '/bench/results'),
        page('Releasing', '/releasing'),
      ],
      true,
    ),
  ];
}

export function decisionsSidebar(): Item[] {
  const decisions = filesBelow('docs/adr').filter(file => /\/\d/.test(file));
  return [
    group('Decisions', [
      page('All pages', '/'),
      ...decisions.map(file => page(titleOf(file), `/${file.slice('docs/'.length, -3)}`)),
    ]),
  ];
}

export function apiSidebar(): Item[] {
  const apiPages = filesBelow('docs/api').filter(file => file !== 'docs/api/index.md' && file.endsWith('.md'));
  const entries = apiPages.map(file => page(titleOf(file), `/${file.slice('docs/'.length, -3)}`));
  return [
    group('API', [page('All entries', '/api/')]),
    ...packages.map(({ name }) =>
      group(
        name,
        entries.filter(({ text }) => text === name || text?.startsWith(`${name}/`)),
      ),
    ),
  ].filter(({ items }) => items?.length);
}

function group(text: string, items: Item[], collapsed = false): Item {
  return { text, items: items.filter(exists), collapsed };
}

function page(text: string, link: string): Item {
  return { text, link };
}

/** Entries are for pages that exist: a package or an entry may be gone. */
function exists({ link = '' }: Item): boolean {
  return sitePages.has(`${link.slice(1)}${/(^|\/)$/.test(link.slice(1)) ? 'index' : ''}.md`);
}

function titleOf(file: string): string {
  return /^# (.*)$/m.exec(readFileSync(join(root, file), 'utf8'))?.[1] ?? file;
}

function filesBelow(folder: string): string[] {
  if (!existsSync(join(root, folder))) return [];
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .map(file => `${folder}/${file.replaceAll('\\', '/')}`)
    .toSorted();
}
