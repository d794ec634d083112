import type { CallerAnswer, Check, HealthWord, Outage, Outcome, Phase } from '../src/model.ts';

/** The colour of a state. The state is always there in words, too. */
export type Tone = 'good' | 'warn' | 'bad' | 'quiet';

const clockTime = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const dayTime = new Intl.DateTimeFormat('en-GB', {
  day: '2-digit',
  month: 'short',
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
});
const dayMs = 86_400_000;

/** `14:03:27`; with the day when it is long ago. */
export function timeOf(at: number): string {
  return (Math.abs(Date.now() - at) < dayMs / 2 ? clockTime : dayTime).format(at);
}

/** `340 ms`, `3.4 s`, `12 min`, `5 h 12 min`, `3 d 4 h`. */
export function lasting(ms: number): string {
  if (ms < 1) return `${ms.toFixed(1)} ms`;
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 10_000) return `${(ms / 1_000).toFixed(1)} s`;
  if (ms < 120_000) return `${Math.round(ms / 1_000)} s`;
  const minutes = Math.round(ms / 60_000);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h ${minutes % 60} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

export function bytes(count: number): string {
  if (count < 1e9) return `${Math.round(count / 1e6)} MB`;
  return `${(count / 1e9).toFixed(1)} GB`;
}

/** `0.4`, `12`, `1,204`. */
export function rate(perSecond: number): string {
  if (perSecond > 0 && perSecond < 9.95) return perSecond.toFixed(1);
  return Math.round(perSecond).toLocaleString('en');
}

export function times(count: number, one: string, many = `${one}s`): string {
  return `${count.toLocaleString('en')} ${count === 1 ? one : many}`;
}

export const healthWords: Readonly<Record<HealthWord | 'gone' | 'new', string>> = {
  pass: 'passes',
  warn: 'warns',
  fail: 'fails',
  gone: 'removed',
  new: 'new',
};

export const healthTones: Readonly<Record<HealthWord, Tone>> = { pass: 'good', warn: 'warn', fail: 'bad' };

export interface State {
  readonly word: string;
  readonly tone: Tone;
}

/** How the service stands, in a word. */
export function stateOf(given: {
  readonly phase: Phase;
  readonly readiness: HealthWord;
  readonly openOutage: Outage | undefined;
}): State {
  const { phase, readiness, openOutage } = given;
  if (phase !== 'ready')
    return { word: { starting: 'Starting', stopping: 'Stopping', stopped: 'Stopped' }[phase], tone: 'warn' };
  if (readiness === 'fail') return { word: 'Not ready', tone: 'bad' };
  if (openOutage !== undefined) return { word: 'Outage', tone: 'bad' };
  if (readiness === 'warn') return { word: 'Degraded', tone: 'warn' };
  return { word: 'Ready', tone: 'good' };
}

/** The checks that do not pass, what fails first. */
export function notPassing(checks: readonly Check[]): Check[] {
  const rank = ({ status, critical }: Check) => (status === 'fail' ? 0 : 2) + (critical ? 0 : 1);
  return checks.filter(({ status }) => status !== 'pass').sort((a, b) => rank(a) - rank(b));
}

export function breakerState(state: string): State {
  switch (state) {
    case 'closed':
      return { word: 'closed', tone: 'good' };
    case 'held-closed':
      return { word: 'held closed', tone: 'warn' };
    case 'half-open':
      return { word: 'half-open, probing', tone: 'warn' };
    case 'held-open':
      return { word: 'held open', tone: 'bad' };
    default:
      return { word: state, tone: 'bad' };
  }
}

/** What an answer means to its caller. */
export function answerWords({ status }: CallerAnswer): State {
  if (status === undefined) return { word: 'without a complete answer', tone: 'bad' };
  if (status === 503) return { word: 'asked to try again later', tone: 'warn' };
  if (status === 504) return { word: 'the time limit was exceeded', tone: 'warn' };
  if (status >= 500) return { word: 'the service failed', tone: 'bad' };
  if (status === 429) return { word: 'asked to slow down', tone: 'quiet' };
  if (status >= 400) return { word: 'the request was refused', tone: 'quiet' };
  return { word: 'served', tone: 'good' };
}

export const outcomeWords: Readonly<Record<Outcome, string>> = { ok: 'ok', error: 'failed', unset: 'ended' };
export const outcomeTones: Readonly<Record<Outcome, Tone>> = { ok: 'good', error: 'bad', unset: 'quiet' };

export function statusTone(status: number | undefined): Tone {
  if (status === undefined || status >= 500) return 'bad';
  return status >= 400 ? 'warn' : 'good';
}
