import { expect, test } from 'vitest';
import { keelson } from './keelson.fixture.js';

const files = {
  'keelson.yaml': { service: 'shop', plugins: { mail: { use: './mail.js' }, quiet: { use: './quiet.js' } } },
  'mail.js': `import { z } from 'zod';
    export default { name: 'mail', start: () => ({
      operations: { hold: { description: 'Holds.', arguments: z.object({ as: z.enum(['open', 'closed']) }), run: () => 'Held.' } } }) };`,
  'quiet.js': `export default { name: 'quiet' };`,
};

test('keelson do refuses an unknown call as wrong usage, lists the known ones, and does nothing', async () => {
  const run = keelson(files, ['start']);
  await run.until('shop ready in');
  const wrong: [string[], string][] = [
    [['do', 'mial'], 'Did you mean mail?'],
    [['do', 'nosuch'], 'Available: mail hold.'],
    [['do', 'quiet'], 'Available: mail hold.'],
    [['do', 'mail', 'nosuch'], 'mail hold'],
    [['do', 'mail', 'hold', 'ajar'], 'Allowed: '],
    [['do', 'mail', 'hold'], 'Write: keelson do mail hold <as>'],
    [['do', 'mail', 'hold', 'open', '--pid', 'abc'], '--pid takes a whole number above 0'],
    [['status', '--pid', '-1'], '--pid'],
  ];
  for (const [words, said] of wrong) {
    const { code, out, err } = await run.also(words).ended;
    expect(`${words.join(' ')}: ${code} ${out}`).toBe(`${words.join(' ')}: 2 `);
    expect(err).toContain(said);
  }
  expect((await run.also(['do', 'mail', 'hold', 'open']).ended).code).toBe(0);
  expect((await run.also(['do', 'mail']).ended).code).toBe(0);
});

test.each([[['--set', 'level']], [['--values', '[1]']]])('keelson verify %s is wrong usage', async words => {
  const verify = { 'a.js': `export default { name: 'a' };` };
  expect((await keelson(verify, ['verify', './a.js', ...words]).ended).code).toBe(2);
});
