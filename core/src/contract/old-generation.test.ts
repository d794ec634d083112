import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const file = new URL('old-generation.ts', import.meta.url).href;
const script = `
  const { oldGeneration } = await import('${file}');
  const megabytes = bytes => Math.round(bytes / 1_048_576);
  const { limitBytes } = oldGeneration();
  const kept = [];
  let highest = 0;
  console.log(megabytes(limitBytes));
  for (;;) {
    kept.push(Array.from({ length: 1_000 }, Math.random));
    const share = oldGeneration().usedBytes / limitBytes;
    if (share > highest + 0.01) console.log(highest = share);
  }
`;

test.each([
  [['--max-old-space-size=80'], 80],
  [['--max-old-space-size=80', '--max-semi-space-size=4'], 80],
])('%j: the process ends when the old generation is close to its limit', async (flags, limitMb) => {
  const child = promisify(execFile)(process.execPath, [...flags, '--input-type=module', '-e', script], {
    env: { PATH: process.env.PATH },
  });
  const printed = await child.then(
    () => '',
    (failure: { stdout: string }) => failure.stdout,
  );
  const [limit, ...shares] = printed.trim().split('\n').map(Number);
  expect(limit).toBe(limitMb);
  expect(shares.at(-1)).toBeGreaterThan(0.9);
  expect(shares.at(-1)).toBeLessThan(1.05);
});
