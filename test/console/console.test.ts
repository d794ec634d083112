import { chromiumPath, openBrowser } from '@keelson/test-support/browser';
import { eventually } from '@keelson/test-support/eventually';
import { type PostgresServer, startPostgres } from '@keelson/test-support/postgres-server';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  accessibilityProblems,
  desktop,
  makesPictures,
  openPage,
  overhang,
  phone,
  picture,
  type WatchedPage,
} from './console-page.js';
import { type ConsoleService, Load, startConsoleService } from './console-service.js';

const token = 'a-token-for-the-second-console';
const slowly = { timeoutMs: 30_000, intervalMs: 50 };

describe.skipIf(chromiumPath === undefined)('the console of orders, in Chromium', { timeout: 120_000 }, () => {
  const resources = new AsyncDisposableStack();
  let server: PostgresServer;
  let first: ConsoleService;
  let second: ConsoleService;
  let browser: Browser;
  let wide: WatchedPage;
  let narrow: WatchedPage;

  beforeAll(async () => {
    server = resources.use(await startPostgres());
    const databaseUrl = await server.createDatabase('orders');
    first = resources.use(await startConsoleService({ databaseUrl }));
    second = resources.use(await startConsoleService({ databaseUrl, console: { token } }));
    browser = await openBrowser(chromiumPath ?? '');
    resources.defer(() => browser.close());
    wide = await openPage(browser, `${first.adminUrl}/console`, desktop);
    narrow = await openPage(browser, `${first.adminUrl}/console`, phone);
  }, 120_000);

  afterAll(() => resources.disposeAsync());

  const stateOf = (page: Page) => page.locator('.who .mark').textContent();
  const answers = () => wide.page.locator('#outages .answers tbody tr');

  test('shows the service before, during and after a restart of PostgreSQL under load', async () => {
    const { page } = wide;
    await using load = await Load.start(first.service.url);
    await eventually(async () => expect(await stateOf(page)).toBe('Ready'), slowly);
    await page.getByRole('article', { name: 'Pool of database' }).getByText('connected since').waitFor();
    await page.getByRole('article', { name: 'Breaker of database' }).getByText('closed', { exact: true }).waitFor();
    const requests = page.locator('.tile').filter({ hasText: 'Requests' }).locator('.tile-value');
    await eventually(
      async () => expect(Number.parseFloat((await requests.textContent()) ?? '')).toBeGreaterThan(1),
      slowly,
    );
    expect(await page.locator('#outages').textContent()).toContain('None.');
    if (makesPictures) await eventually(() => load.answered > 1_500, { timeoutMs: 90_000 });
    await picture(page, 'ready');
    await picture(narrow.page, 'phone-ready');

    await server.stop('fast');
    await eventually(async () => expect(await stateOf(page)).toBe('Not ready'), slowly);
    const open = page.locator('#now .outage');
    await open.getByText('the database was lost').waitFor();
    await open.getByText('asked to try again later').first().waitFor({ timeout: 30_000 });
    await page.getByRole('article', { name: 'Pool of database' }).getByText('lost since').waitFor();
    await picture(page, 'outage');
    await picture(narrow.page, 'phone-outage');
    expect(await overhang(narrow.page)).toBe(0);

    await server.start();
    await eventually(async () => expect(await stateOf(page)).toBe('Ready'), slowly);
    await page
      .locator('#outages')
      .getByText(/^lasted /)
      .first()
      .waitFor({ timeout: 30_000 });
    await page.locator('#health').getByText('the database is connected').first().waitFor();
    await picture(page, 'after');

    // The page counts each refusal that a caller got.
    await load[Symbol.asyncDispose]();
    await eventually(async () => {
      const rows = await answers().allInnerTexts();
      const refused = rows.filter(row => /\b503\b/.test(row)).map(row => Number(row.split(/\s/)[0]));
      expect(refused.reduce((sum, count) => sum + count, 0)).toBe(load.statuses.get(503));
    }, slowly);
  });

  test('shows a request as a waterfall: its session, attempts and statements', async () => {
    const { page } = wide;
    await page.getByText('Failed or repeated').click();
    await page
      .locator('.request', { hasText: /repeated \d+×/ })
      .first()
      .click();
    const spans = page.locator('.waterfall .span');
    await spans.filter({ hasText: 'attempt 2' }).first().waitFor();
    const names = (await spans.locator('.what').allInnerTexts()).map(text => text.trim());
    expect(names.slice(0, 3)).toEqual([
      expect.stringMatching(/^(GET|POST) \//),
      expect.stringMatching(/^session http\.(get|post)$/),
      'attempt 1',
    ]);
    expect(await page.locator('.waterfall .ids').textContent()).toMatch(/request [0-9a-f-]{36}/);
    await page.locator('#requests').scrollIntoViewIfNeeded();
    await picture(page, 'request');
    await page.locator('.request[aria-expanded=true]').click();
  });

  test('shows each value of the plan with its origin, and no password', async () => {
    const { page } = wide;
    await page.locator('#plan summary', { hasText: 'database' }).first().click();
    const values = page.locator('#plan details[open] .values');
    await values.getByText('keelson.yaml:').first().waitFor();
    expect(await values.textContent()).toMatch(/url\[masked\]/);
    await page.getByRole('searchbox', { name: 'Search' }).fill('breakMs');
    await page.locator('#plan details[open]').first().waitFor();
    await page.getByRole('searchbox', { name: 'Search' }).fill('');
    expect(await page.locator('#boot').textContent()).toMatch(/ready after/);
  });

  test('changes a breaker with the keyboard, and only after a confirmation', async () => {
    const { page } = wide;
    const card = page.getByRole('article', { name: 'Breaker of database' });
    const dialog = page.getByRole('dialog');
    await card.getByRole('button', { name: 'Hold open…' }).focus();
    await page.keyboard.press('Enter');
    await dialog.getByText('keelson do retry hold database open').waitFor();
    await picture(page, 'confirm');
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'detached' });
    expect((await first.service.request('GET', '/orders')).status).toBe(200);
    // A dialog gives the focus back.
    expect(await page.evaluate('document.activeElement?.textContent')).toBe('Hold open…');

    await page.keyboard.press('Enter');
    await dialog.getByRole('button', { name: 'Run' }).focus();
    await page.keyboard.press('Enter');
    await page.getByRole('status').getByText('is held open until it is released').waitFor();
    await card.getByText(/^held open/).waitFor();
    expect((await first.service.request('GET', '/orders')).status).toBe(503);
    expect(first.service.stdout).toContain('"operation":"hold"');

    await card.getByRole('button', { name: 'Release…' }).click();
    await dialog.getByRole('button', { name: 'Run' }).click();
    await card.getByText('closed', { exact: true }).waitFor();
    expect((await first.service.request('GET', '/orders')).status).toBe(200);
  });

  test('changes the level of the log for a time', async () => {
    const { page } = wide;
    await page.getByRole('article', { name: 'Log level' }).getByRole('button', { name: 'Change…' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Run' }).click();
    await page.getByRole('status').getByText('The level of all plugins is debug until').waitFor();
    await page
      .getByRole('article', { name: 'Log level' })
      .getByText(/^all debug until/)
      .waitFor();
  });

  test('asks for its token, and shows the other instances of this machine behind it', async () => {
    const { page } = await openPage(browser, `${second.adminUrl}/console`, desktop);
    await page.getByLabel('Token').fill('a-wrong-token-of-somebody');
    await page.getByRole('button', { name: 'Log in' }).click();
    await page.getByRole('alert').getByText('not the token of this console').waitFor();
    await page.getByLabel('Token').fill(token);
    await page.getByRole('button', { name: 'Log in' }).click();
    await page.getByText(`pid ${second.service.pid}`).waitFor();
    await page
      .getByRole('list', { name: 'Instances' })
      .getByRole('button', { name: `${first.service.pid}` })
      .click();
    await page.locator('.who').getByText(`pid ${first.service.pid}`).waitFor();
    await page.getByRole('article', { name: 'Pool of database' }).waitFor();
    await page
      .getByRole('article', { name: 'Breaker of database' })
      .getByRole('button', { name: 'Hold closed…' })
      .click();
    await page.getByRole('dialog').getByText('On all 2 instances of orders').waitFor();
    await page.context().close();
  });

  test.each([
    ['a desktop', desktop],
    ['a phone with light colours', { ...phone, colorScheme: 'light' as const }],
  ])('can be used with a keyboard and a screen reader, on %s', async (_device, options) => {
    const { page } = await openPage(browser, `${first.adminUrl}/console`, { ...options, bypassCSP: true });
    await page.locator('#pools .card').first().waitFor();
    await page.locator('.request').first().click();
    await page.locator('#plan summary').first().click();
    expect(await overhang(page)).toBe(0);
    await page.locator('#operations').getByRole('button', { name: 'retry hold…' }).click();
    await page.getByRole('dialog').waitFor();
    expect(await accessibilityProblems(page, 'dialog')).toEqual([]);
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    expect(await accessibilityProblems(page, 'document')).toEqual([]);
    await page.context().close();
  });

  test('asks no other host, keeps its content security policy, and fails nowhere', () => {
    expect(wide.faults).toEqual([]);
    expect(narrow.faults).toEqual([]);
  });

  test('says when the service has stopped, and keeps what it showed last', async () => {
    const { page } = wide;
    await first.service.stop();
    await page.getByRole('alert').getByText('The service does not answer.').waitFor();
    expect(await stateOf(page)).toBe('No answer');
  });
});
