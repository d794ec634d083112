import { existsSync } from 'node:fs';
import { type Browser, chromium } from 'playwright-core';

/** Where Debian and others put it. */
const places = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/** The Chromium of the machine; undefined when there is none. Playwright would have to download its own. */
export const chromiumPath: string | undefined = places.find(place => existsSync(place));

/** A browser without a window, which resolves no name of another host. */
export function openBrowser(executablePath: string): Promise<Browser> {
  // As root there is no sandbox; the tests open pages of their own service only.
  const args = ['--no-sandbox', '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1', '--disable-gpu'];
  return chromium.launch({ executablePath, args });
}
