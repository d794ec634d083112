import { join } from 'node:path';
import type { Plugin } from 'vite';
import { defineConfig } from 'vitepress';
import { refuseDeadFragments } from './dead-fragments.ts';
import { notPages, pageOf } from './links.ts';
import { anchorOf, dropComments, keepAnchors, leadToPages, renderForSearch } from './markdown.ts';
import { publishedPackages, root } from './packages.ts';
import { apiSidebar, decisionsSidebar, guideSidebar } from './sidebar.ts';

/** Pages beside docs/ import Vue from where the site has it: their own folders have none. */
const vueOfTheSite: Plugin = {
  name: 'vue-of-the-site',
  enforce: 'pre',
  resolveId(id, _importer, options) {
    if (!/^vue($|\/)/.test(id)) return null;
    // On the way to HTML, Node imports it from the folder of the site.
    if (options.ssr === true) return { id, external: true };
    return this.resolve(id, join(root, 'docs/package.json'), { ...options, skipSelf: true });
  },
};

const version = publishedPackages()[0]?.version ?? '';

export default defineConfig({
  title: 'Keelson',
  description: 'A plugin kernel for TypeScript microservices on PostgreSQL',
  lang: 'en',
  head: [['link', { rel: 'icon', href: 'data:,' }]],
  // The README of a package is a page too, so pages come from the whole repository.
  srcDir: '..',
  srcExclude: notPages,
  rewrites: file => pageOf(file) ?? file,
  base: process.env.DOCS_BASE ?? '/',
  cleanUrls: false,
  lastUpdated: false,
  // A page may name the address of the service that it starts.
  ignoreDeadLinks: 'localhostLinks',
  markdown: {
    html: false,
    anchor: { slugify: anchorOf },
    config: markdown => markdown.use(dropComments).use(keepAnchors).use(leadToPages),
    theme: { light: 'github-light', dark: 'github-dark' },
  },
  buildEnd: refuseDeadFragments,
  vite: { plugins: [vueOfTheSite], build: { chunkSizeWarningLimit: 2_000 } },
  themeConfig: {
    nav: [
      { text: 'Tutorial', link: '/', activeMatch: '^/(index.html)?$' },
      { text: 'Guides', link: '/configuration' },
      { text: 'API', link: '/api/' },
      {
        text: `v${version}`,
        items: [
          { text: 'Changes', link: '/changelog' },
          { text: 'Releasing', link: '/releasing' },
        ],
      },
    ],
    sidebar: { '/api/': apiSidebar(), '/adr/': decisionsSidebar(), '/': guideSidebar() },
    outline: { level: [2, 3] },
    search: { provider: 'local', options: { _render: renderForSearch } },
    docFooter: { prev: 'Before', next: 'Next' },
    externalLinkIcon: true,
  },
});
