import { styleText } from 'node:util';
import { type LogLevel, logLevels } from '../contract/slots/logger.js';

/** A record as it is written: level, time and msg, and the fields of bunyan and pino. */
export type LogRecord = Readonly<Record<string, unknown>>;

type Style = Parameters<typeof styleText>[0];

const styles: Record<LogLevel, Style> = {
  trace: 'gray',
  debug: 'cyan',
  info: 'green',
  warn: 'yellow',
  error: 'red',
  fatal: 'inverse',
};

/** Fields that are elsewhere in the line, or the same in every line. */
const unlisted = new Set(['name', 'hostname', 'pid', 'level', 'time', 'msg', 'v', 'plugin', 'err']);

/**
 * One line for a person: time of day, level, plugin, message, facts. An error of level `error` or above is followed by
 * its hint and stack, indented. Control characters are escaped, so that no value can forge a line.
 */
export function prettyLine(record: LogRecord, colour: boolean): string {
  const paint = (style: Style, text: string) => (colour ? styleText(style, text, { validateStream: false }) : text);
  const level = levelOf(record.level);
  const source = typeof record.plugin === 'string' ? `${escaped(record.plugin)}: ` : '';
  const parts = [
    paint('gray', timeOfDay(record.time)),
    paint(styles[level], level.toUpperCase().padEnd(5)),
    source + escaped(String(record.msg)),
    ...factsOf(record).map(([key, value]) => paint('gray', `${escaped(key)}=`) + show(value)),
  ];
  return parts.join(' ') + errorBelow(record, level, text => paint('gray', text));
}

function factsOf(record: LogRecord): [string, unknown][] {
  const facts = Object.entries(record).filter(([key]) => !unlisted.has(key));
  const summary = errorSummary(record.err);
  return summary === undefined ? facts : [...facts, ['err', summary]];
}

/** `CODE message {facts} [those it stands for] <- its cause, in the same form`. */
function errorSummary(error: unknown): string | undefined {
  if (!isRecord(error)) return error === undefined ? undefined : String(error);
  const several = Array.isArray(error.errors) ? `[${error.errors.map(errorSummary).join('; ')}]` : undefined;
  const facts = isRecord(error.facts) && Object.keys(error.facts).length > 0 ? JSON.stringify(error.facts) : undefined;
  const own = [error.code, error.message, facts, several].filter(part => part !== undefined && part !== '').join(' ');
  const cause = errorSummary(error.cause);
  return cause === undefined ? own : `${own} <- ${cause}`;
}

function errorBelow(record: LogRecord, level: LogLevel, paint: (text: string) => string): string {
  if (!isRecord(record.err) || logLevels.indexOf(level) < logLevels.indexOf('error')) return '';
  const hint = typeof record.err.hint === 'string' ? [`hint: ${record.err.hint}`] : [];
  const stack = typeof record.err.stack === 'string' ? record.err.stack.split('\n') : [];
  return [...hint, ...stack].map(line => `\n    ${paint(escaped(line.trim()))}`).join('');
}

function show(value: unknown): string {
  if (typeof value === 'string') return /^[\w.:/@+-]+$/.test(value) ? value : escaped(JSON.stringify(value));
  return escaped(JSON.stringify(value) ?? 'undefined');
}

function escaped(text: string): string {
  return text.replace(
    /[\p{Cc}\u2028\u2029]/gu,
    character => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function levelOf(level: unknown): LogLevel {
  return logLevels[Math.round(Number(level) / 10) - 1] ?? 'info';
}

function timeOfDay(time: unknown): string {
  const date = time instanceof Date ? time : new Date(typeof time === 'number' ? time : String(time));
  return Number.isNaN(date.getTime()) ? String(time) : date.toISOString().slice(11, 23);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
