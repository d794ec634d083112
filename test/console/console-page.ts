import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { smallPng } from './small-png.js';

const pictures = fileURLToPath(new URL('../../docs/console', import.meta.url));
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

export const desktop: BrowserContextOptions = { viewport: { width: 1280, height: 860 }, colorScheme: 'dark' };
export const phone: BrowserContextOptions = {
  viewport: { width: 360, height: 760 },
  deviceScaleFactor: 2,
  hasTouch: true,
  colorScheme: 'dark',
};

/** With `KEELSON_WRITE_PAGES=1` the pictures of docs/console.md are made. */
export const makesPictures = process.env.KEELSON_WRITE_PAGES === '1';
const mostBytes = 150_000;

/** A page, and what it must not do: ask another host, break its content security policy, fail. */
export interface WatchedPage {
  readonly page: Page;
  readonly faults: string[];
}

export async function openPage(browser: Browser, url: string, options: BrowserContextOptions): Promise<WatchedPage> {
  const context = await browser.newContext({ reducedMotion: 'reduce', ...options });
  const page = await context.newPage();
  const faults: string[] = [];
  page.on('console', message => {
    if (message.type() === 'error') faults.push(message.text());
  });
  page.on('pageerror', error => faults.push(error.message));
  page.on('request', request => {
    if (!request.url().startsWith(new URL(url).origin)) faults.push(request.url());
  });
  await page.goto(url);
  return { page, faults };
}

/** Writes what the page shows into docs/console. */
export async function picture(page: Page, name: string): Promise<void> {
  if (!makesPictures) return;
  const png = smallPng(await page.screenshot({ animations: 'disabled' }));
  if (png.length > mostBytes) throw new Error(`${name}.png has ${png.length} bytes, more than ${mostBytes}`);
  mkdirSync(pictures, { recursive: true });
  writeFileSync(join(pictures, `${name}.png`), png);
}

/** What axe finds that a keyboard or a screen reader cannot use, each with its place. The page must bypass its CSP. */
export async function accessibilityProblems(page: Page, of: 'document' | 'dialog'): Promise<string[]> {
  await page.evaluate(axe);
  const part = of === 'document' ? 'document' : "'dialog'";
  const found: unknown = await page.evaluate(`axe.run(${part}, {
    runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
  }).then(({ violations }) => violations.flatMap(({ id, nodes }) => nodes.map(({ target, failureSummary }) =>
    id + ' at ' + target.join(' ') + ': ' + failureSummary)))`);
  return Array.isArray(found) ? found.map(String) : [];
}

/** How many pixels the page is wider than its window. */
export async function overhang(page: Page): Promise<number> {
  return Number(await page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth'));
}
