import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { type ReadLine, readProducts } from './read-products.js';

const directory = mkdtempSync(join(tmpdir(), 'orders-import-'));
afterAll(() => rmSync(directory, { recursive: true }));

async function read(text: string): Promise<ReadLine[]> {
  const file = join(directory, 'products.csv');
  writeFileSync(file, text);
  const { lines, readShare } = await readProducts(file, new AbortController().signal);
  const found: ReadLine[] = [];
  for await (const line of lines) found.push(line);
  expect(readShare()).toBe(1);
  return found;
}

describe('a file of products', () => {
  test('has its columns in any order, quotes where they are needed, and empty lines', async () => {
    expect(await read('\uFEFFstock,"sku",unitPriceCents\r\n1,a,10\r\n\r\n"2", b ,"0"\r\n')).toEqual([
      { line: 2, product: { sku: 'a', stock: 1, unitPriceCents: 10 } },
      { line: 4, product: { sku: 'b', stock: 2, unitPriceCents: 0 } },
    ]);
  });

  test('has a sentence for each field of a line that is wrong', async () => {
    const lines = await read('sku,stock,unitPriceCents\n,x,1e3\na,1\nb,1,100000001\n');
    expect(lines.map(({ line, problem }) => [line, problem])).toEqual([
      [
        2,
        expect.stringMatching(/^sku must be 1 to 64 .+, stock must be a whole number, unitPriceCents must be a whole/),
      ],
      [3, 'has 2 columns instead of 3'],
      [4, 'unitPriceCents must be a whole number from 0 to 100000000'],
    ]);
  });

  test('ends at a quote that does not close', async () => {
    const lines = await read('sku,stock,unitPriceCents\na,1,1\n"b,1,1\nc,1,1\n');
    expect(lines).toMatchObject([{ line: 2 }, { line: 3, problem: expect.stringMatching(/^is not valid CSV: /) }]);
  });

  test.each(['', 'sku,stock\na,1\n', 'sku,stock,price\na,1,1\n'])(
    'is refused without the three columns: %j',
    async text => {
      await expect(read(text)).rejects.toMatchObject({ code: 'ORDERS_IMPORT_REFUSED' });
    },
  );

  test('is refused when it cannot be read', async () => {
    const reading = readProducts(join(directory, 'none.csv'), new AbortController().signal);
    await expect(reading).rejects.toMatchObject({ code: 'ORDERS_IMPORT_REFUSED' });
  });
});
