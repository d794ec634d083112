import { randomUUID } from 'node:crypto';
import { chromiumPath, openBrowser } from '@keelson/test-support/browser';
import { createTestDatabase, type TestDatabase } from '@keelson/test-support/database';
import { type ServiceProcess, startService } from '@keelson/test-support/service-process';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

describe.skipIf(chromiumPath === undefined)('the API page of orders, in Chromium', { timeout: 60_000 }, () => {
  let database: TestDatabase;
  let service: ServiceProcess;
  let browser: Browser;
  let page: Page;
  /** What the page must not do: ask another host, break its content security policy, fail. */
  const faults: string[] = [];

  beforeAll(async () => {
    database = await createTestDatabase();
    service = await startService({ variables: { KEELSON_ENV: 'postgres', DATABASE_URL: database.url } });
    browser = await openBrowser(chromiumPath ?? '');
    page = await browser.newPage();
    page.on('console', message => {
      if (message.type() === 'error') faults.push(message.text());
    });
    page.on('pageerror', error => faults.push(error.message));
    page.on('request', request => {
      if (!request.url().startsWith(service.url) && !request.url().startsWith('data:')) faults.push(request.url());
    });
    await page.goto(`${service.url}/docs`);
  });

  afterAll(async () => {
    await browser?.close();
    await service?.[Symbol.asyncDispose]();
    await database?.[Symbol.asyncDispose]();
  });

  test('lists every route with its summary', async () => {
    await page.getByText('Places an order').waitFor();
    const routes = await page.locator('.opblock-summary').allInnerTexts();
    const seen = routes.map(text => text.replaceAll(/[\s\u200b]+/g, ' ').trim());
    expect(seen).toHaveLength(7);
    for (const route of ['POST /orders Places an order', 'GET /products/{sku} Returns a product']) {
      expect(
        seen.some(text => text.startsWith(route)),
        `${route} in ${seen.join(', ')}`,
      ).toBe(true);
    }
  });

  test('sends a request and shows its answer', async () => {
    const sku = `page-${randomUUID().slice(0, 8)}`;
    const block = page.locator('#operations-products-post_products');
    await block.locator('.opblock-summary').click();
    await block.locator('textarea').fill(JSON.stringify({ sku, stock: 3 }));
    await block.getByRole('button', { name: 'Execute' }).click();
    await block.locator('.live-responses-table .response-col_status', { hasText: '201' }).waitFor();
    expect(await service.request('GET', `/products/${sku}`)).toMatchObject({ status: 200, body: { sku, stock: 3 } });

    await block.locator('textarea').fill(JSON.stringify({ sku: '', stock: -1 }));
    await block.getByRole('button', { name: 'Execute' }).click();
    await block.locator('.live-responses-table .response-col_status', { hasText: '422' }).waitFor();
    expect(await block.locator('.live-responses-table').textContent()).toContain('/stock');
  });

  test('asks no other host, and keeps its content security policy', () => {
    // The answer of 422 that was asked for is an error in the eyes of a browser.
    expect(faults.filter(fault => !fault.includes('422'))).toEqual([]);
  });
});
