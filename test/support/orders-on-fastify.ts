import { mkdirSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { guard } from './guardian.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const example = join(root, 'examples/orders');

/** A folder with the orders example as it is, but for one line of its `keelson.yaml`. The guardian removes it. */
export function ordersOnFastify(): string {
  const folder = mkdtempSync(join(tmpdir(), 'keelson-orders-'));
  guard(folder);
  mkdirSync(join(folder, 'node_modules'));
  symlinkSync(join(root, 'node_modules/@keelson'), join(folder, 'node_modules/@keelson'));
  for (const name of ['dist', 'package.json', 'keelson.postgres.yaml'])
    symlinkSync(join(example, name), join(folder, name));
  const yaml = readFileSync(join(example, 'keelson.yaml'), 'utf8');
  const changed = yaml.replace('  http: { use: "@keelson/http-express"', '  http: { use: "@keelson/http-fastify"');
  if (changed === yaml) throw new Error('The keelson.yaml of orders has no such line.');
  writeFileSync(join(folder, 'keelson.yaml'), changed);
  return folder;
}
