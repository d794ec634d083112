import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';

const root = fileURLToPath(new URL('../', import.meta.url));
const files = execFileSync('git', ['ls-files', '--', 'package.json', '**/package.json'], {
  cwd: root,
  encoding: 'utf8',
})
  .trim()
  .split('\n');
const manifest = z.looseObject({ scripts: z.record(z.string(), z.string()).default({}) });

/** The programs that scripts run: npm, Node.js, and what npm installs. They exist on every system. */
const programs = new Set(['node', 'npm', 'tsc', 'vitest', 'vitepress', 'biome', 'keelson']);

/** What cmd.exe and a POSIX shell do not read alike, in one command of a script; undefined when there is nothing. */
function shellWord(command: string): string | undefined {
  const [program = ''] = command.split(' ');
  const special = /['`$%^;|<>*?~\\()!{}]|(?<!&)&(?!&)/.exec(command)?.[0];
  return special ?? (programs.has(program) ? undefined : program);
}

function shellWords(script: string): readonly string[] {
  // Without `exec`, a shell that a signal ends leaves the service behind. cmd.exe has none, and runs the second half.
  const [, replaced, otherwise] = /^exec (.+) \|\| (.+)$/.exec(script) ?? [];
  const portable = replaced !== undefined && replaced === otherwise ? otherwise : script;
  return portable.split(' && ').flatMap(command => shellWord(command.trim()) ?? []);
}

describe('a script of package.json', () => {
  test.each(files)('needs no POSIX shell: %s', file => {
    const { scripts } = manifest.parse(JSON.parse(readFileSync(root + file, 'utf8')));
    expect(Object.entries(scripts).flatMap(([name, script]) => shellWords(script).map(word => [name, word]))).toEqual(
      [],
    );
  });

  test.each([
    ['exec keelson start', 'exec'],
    ['exec keelson start || keelson check', '|'],
    ['keelson start || keelson start', '|'],
    ['tsc -b && rm -rf dist', 'rm'],
    ['PORT=1 keelson start', 'PORT=1'],
    ["vitest run -t 'some words'", "'"],
    ['node $FILE', '$'],
    ['./bin/keelson.js', './bin/keelson.js'],
    ['node a.js & node b.js', '&'],
    ['tsc -b; vitest', ';'],
  ])('would not pass as %s', (script, word) => {
    expect(shellWords(script).join(' ')).toContain(word);
  });
});
