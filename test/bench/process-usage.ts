import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { childrenOf } from '@keelson/test-support/processes';

/** What is read here is there on Linux alone. */
export const canMeasureProcesses = process.platform === 'linux';

const usPerTick = canMeasureProcesses ? 1_000_000 / Number(execFileSync('getconf', ['CLK_TCK'])) : Number.NaN;

/** The CPU time that all threads of a process have used, in microseconds. */
export function cpuUsOf(pid: number): number {
  const { own } = ticksOf(pid);
  return own * usPerTick;
}

/** The CPU time of a process and of its children, those that have ended included. */
export function cpuUsOfTree(pid: number): number {
  const { own, ended } = ticksOf(pid);
  const children = childrenOf(pid).map(child => ticksOf(child).own);
  return (own + ended + sum(children)) * usPerTick;
}

export function residentMbOf(pid: number): number {
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kilobytes) / 1_024;
}

interface Ticks {
  readonly own: number;
  /** Of the children that have ended. */
  readonly ended: number;
}

/** A process that has ended meanwhile counts as nothing: its ticks are in its parent's. */
function ticksOf(pid: number): Ticks {
  const text = statOf(pid);
  if (text === undefined) return { own: 0, ended: 0 };
  // After the command in parentheses: the state is the third field of proc(5), utime the fourteenth.
  const [utime = 0, stime = 0, cutime = 0, cstime = 0] = text
    .replace(/^.*\) /s, '')
    .split(' ')
    .slice(11, 15)
    .map(Number);
  return { own: utime + stime, ended: cutime + cstime };
}

function statOf(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return undefined;
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
