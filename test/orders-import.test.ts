import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTestDatabase, type TestDatabase } from '@keelson/test-support/database';
import { runKeelson } from '@keelson/test-support/run-keelson';
import { temporaryFolder } from '@keelson/test-support/temporary-folder';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';

const orders = new URL('../examples/orders', import.meta.url).pathname;
const bin = new URL('../core/bin/keelson.js', import.meta.url).pathname;

let database: TestDatabase;
let client: pg.Client;
let directory: string;
let variables: Record<string, string>;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'keelson-import-'));
  database = await createTestDatabase();
  variables = { KEELSON_ENV: 'postgres', DATABASE_URL: database.url };
  expect((await runKeelson(['migrate'], { variables })).code).toBe(0);
  client = new pg.Client({ connectionString: database.url });
  await client.connect();
});

afterAll(async () => {
  await client?.end();
  await database?.[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
});

beforeEach(() => client.query('truncate products cascade'));

function fileOf(text: string): string {
  const file = join(directory, 'products.csv');
  writeFileSync(file, text);
  return file;
}

const importing = (file: string, ...options: string[]) =>
  runKeelson(['run', 'orders', 'import', file, ...options], { variables });

async function stored(): Promise<string[]> {
  const { rows } = await client.query('select sku || stock || unit_price_cents as row from products order by sku');
  return rows.map(({ row }) => row);
}

test('a file is imported', async () => {
  const { code, stdout, stderr } = await importing(fileOf('sku,stock,unitPriceCents\na,1,10\nb,2,0\n'));
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toMatch(/^2 products stored in [\d.]+ s\.\n$/m);
  expect(await stored()).toEqual(['a110', 'b20']);
});

test('bad lines are named, up to a number of them, and nothing is stored', async () => {
  await client.query("insert into products (sku, stock) values ('taken', 1)");
  const lines = ['a,1,1', 'b b,x,1', 'c,1', 'taken,1,1', 'd,1,-1', 'a,2,2', ',,', 'e,1000000001,1', '', 'f,1,1'];
  const more = Array.from({ length: 100 }, () => 'g g,1,1');
  const { code, stdout, stderr } = await importing(
    fileOf(`sku,stock,unitPriceCents\n${[...lines, ...more].join('\n')}\n`),
  );
  expect(code).toBe(1);
  const listed = stdout.trim().split('\n');
  expect(listed.slice(-2)).toEqual([expect.stringMatching(/^line 24: sku must be/), 'and 87 more']);
  expect(listed.slice(-21, -14)).toEqual([
    expect.stringMatching(/^line 3: sku must be 1 to 64 .*, stock must be a whole number$/),
    'line 4: has 2 columns instead of 3',
    'line 5: sku is taken',
    'line 6: unitPriceCents must be a whole number',
    'line 7: sku is in an earlier line',
    expect.stringMatching(/^line 8: sku must be/),
    'line 9: stock must be a whole number from 0 to 1000000000',
  ]);
  expect(stderr).toContain('107 lines are wrong. Nothing is stored.');
  expect(await stored()).toEqual(['taken10']);
});

test('a bad line behind many that were sent to the database undoes these', async () => {
  const lines = Array.from({ length: 5_001 }, (_, index) => `sku-${index},1,1`);
  const { code, stderr } = await importing(fileOf(`sku,stock,unitPriceCents\n${lines.join('\n')}\nsku-0,1,1\n`));
  expect(code).toBe(1);
  expect(stderr).toContain('1 line is wrong. Nothing is stored.');
  expect(await stored()).toEqual([]);
});

test('with --batch the good lines are stored, and a second run finds them there', async () => {
  const file = fileOf('sku,stock,unitPriceCents\na,1,1\nb,x,1\nc,3,3\na,4,4\nd,5,5\n');
  const first = await importing(file, '--batch', '2');
  expect(first).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('2 lines are wrong; all others are stored.'),
  });
  expect(await stored()).toEqual(['a11', 'c33', 'd55']);
  const second = await importing(file, '--batch', '2');
  expect(second.stdout).toContain('line 6: sku is taken');
  expect(await stored()).toEqual(['a11', 'c33', 'd55']);
});

test.each([[[]], [['--batch', '1000']]])(
  'Ctrl-C ends an import in order, and says what is stored: %j',
  async options => {
    const file = join(directory, 'many.csv');
    const stream = createWriteStream(file);
    stream.write('sku,stock,unitPriceCents\n');
    for (let index = 0; index < 150_000; index++) stream.write(`sku-${index},1,1\n`);
    stream.end();
    await once(stream, 'close');
    const { PATH, HOME } = process.env;
    const child = spawn(process.execPath, [bin, 'run', 'orders', 'import', file, ...options], {
      cwd: orders,
      env: { PATH, HOME, ...temporaryFolder(), ...variables },
    });
    let stderr = '';
    child.stderr.on('data', part => {
      stderr += part;
    });
    // The first line of progress.
    await once(child.stdout, 'data');
    child.kill('SIGINT');
    const [code] = await once(child, 'close');
    expect(code).toBe(1);
    const { rows } = await client.query('select count(*)::int as count from products');
    const count = rows[0].count;
    if (options.length === 0) {
      expect(count).toBe(0);
      expect(stderr).toContain('The import was stopped. Nothing is stored.');
    } else {
      expect(count).toBeGreaterThan(0);
      expect(count).toBeLessThan(150_000);
      expect(stderr).toContain(`The import was stopped. ${count} products are stored, those up to line ${count + 1}.`);
    }
  },
);
