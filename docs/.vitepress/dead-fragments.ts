import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SiteConfig } from 'vitepress';

/**
 * VitePress finds links to pages that do not exist. This finds those to a part of a page that does not exist.
 *
 * @throws Error that lists them all.
 */
export function refuseDeadFragments({ outDir, site: { base } }: SiteConfig): void {
  const files = globSync('**/*.html', { cwd: outDir }).map(file => file.replaceAll('\\', '/'));
  const pages = new Map(files.map(file => [file, readFileSync(join(outDir, file), 'utf8')]));
  const idsOf = new Map([...pages].map(([file, html]) => [file, new Set([...all(html, / id="([^"]+)"/g)])]));
  const dead = [...pages].flatMap(([file, html]) =>
    [...all(html, / href="([^":]*#[^"]+)"/g)]
      .filter(link => {
        const { pathname, hash } = new URL(link, `http://site${base}${file}`);
        const target = pathname.slice(base.length) + (pathname.endsWith('/') ? 'index.html' : '');
        return idsOf.get(decodeURI(target))?.has(decodeURIComponent(hash.slice(1))) === false;
      })
      .map(link => `${file}: ${link}`),
  );
  if (dead.length > 0) throw new Error(`Links to a part that a page does not have:\n${dead.join('\n')}`);
}

function* all(text: string, pattern: RegExp): Generator<string> {
  for (const [, found = ''] of text.matchAll(pattern)) yield found.replaceAll('&amp;', '&');
}
