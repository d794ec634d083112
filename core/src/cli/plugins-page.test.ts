import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { keelson } from './keelson.fixture.js';

const page = readFileSync(new URL('../../../docs/plugins.md', import.meta.url), 'utf8');
const blocks = [...page.matchAll(/```(\w+)\n([\s\S]*?)```/g)].map(([, language, text = '']) => ({ language, text }));

test('the quickest plugin of docs/plugins.md, in TypeScript, is planned and runs', async () => {
  const files = {
    'quick.ts': blocks.find(({ text }) => text.startsWith('// quick.ts'))?.text ?? '',
    'keelson.yaml': blocks.find(({ text }) => text.startsWith('# keelson.yaml'))?.text ?? '',
  };
  expect((await keelson(files, ['check']).ended).out).toContain('  1. quick  ./quick.ts');
  const run = keelson(files, ['start']);
  await run.until('sample ready in');
  run.child.kill('SIGTERM');
  expect((await run.ended).code).toBe(0);
});

test('no sample of docs/plugins.md uses a name that it does not import', () => {
  const samples = blocks.filter(({ language, text }) => language === 'js' && text.includes('import '));
  expect(samples.length).toBeGreaterThanOrEqual(3);
  for (const { text } of samples) {
    const imports = text.match(/^import .*$/gm)?.join('\n') ?? '';
    const body = text.replaceAll(/^import .*$/gm, '').replaceAll(/\/\/.*$/gm, '');
    const named = [
      'Mail',
      'SmtpMail',
      'HttpServer',
      'Logger',
      'makeOnce',
      'manifest',
      'z',
      'definePlugin',
      'defineManifest',
      'defineOperation',
    ];
    const used = named.filter(name => new RegExp(`(?<![.\\w'])${name}\\b`).test(body));
    expect(used.filter(name => !new RegExp(`\\b${name}\\b`).test(imports))).toEqual([]);
  }
});
