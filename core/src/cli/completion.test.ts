import { execFileSync, spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { commandSummaries } from './commands.js';
import { runKeelson } from './run-keelson.js';

async function scriptOf(shell: string): Promise<string> {
  const out: string[] = [];
  const code = await runKeelson(['completion', shell], { variables: {}, out: text => out.push(text), err: () => {} });
  expect(code).toBe(0);
  return `${out.join('\n')}\n`;
}

const has = (program: string) => spawnSync(program, ['--version']).status === 0;

/** What bash offers for the words, the last of which is not complete. */
async function offered(...words: string[]): Promise<string[]> {
  const set = `COMP_WORDS=(keelson ${words.map(word => `'${word}'`).join(' ')}); COMP_CWORD=${words.length}`;
  const script = `${await scriptOf('bash')}${set}; _keelson; printf '%s\\n' "\${COMPREPLY[@]}"`;
  return execFileSync('bash', ['-c', script], { encoding: 'utf8' }).split('\n').filter(Boolean);
}

test.skipIf(!has('bash'))('bash completes commands, options and choices', async () => {
  expect(await offered('exp')).toEqual(['explain']);
  expect(await offered('')).toEqual(expect.arrayContaining(Object.keys(commandSummaries)));
  expect(await offered('check', '--env')).toEqual(['--environment']);
  expect(await offered('completion', 'f')).toEqual(['fish']);
  expect(await offered('nothing', '')).toEqual([]);
});

test.each(['zsh', 'fish'])(
  '%s has each command with its summary, and takes the script where it is installed',
  async shell => {
    const script = await scriptOf(shell);
    for (const summary of Object.values(commandSummaries)) expect(script).toContain(summary.replaceAll("'", '’'));
    expect(script).toContain('environment');
    if (!has(shell)) return;
    const { status, stderr } = spawnSync(shell, ['-n'], { input: script, encoding: 'utf8' });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  },
);
