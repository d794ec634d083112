import type { Facts } from '../keelson-error.js';
import { type ServiceToken, serviceToken } from '../token.js';

export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const;
export type LogLevel = (typeof logLevels)[number];

/**
 * Writes structured log lines. No method throws, whatever is in `facts` (BigInt, cycles, getters that throw).
 * `facts.error` may be any thrown value: implementations write its code, message, stack and causes.
 */
export interface Logger {
  trace(message: string, facts?: Facts): void;
  debug(message: string, facts?: Facts): void;
  info(message: string, facts?: Facts): void;
  warn(message: string, facts?: Facts): void;
  error(message: string, facts?: Facts): void;
  fatal(message: string, facts?: Facts): void;
  /** Returns true when a line of `level` would be written; call it before computing expensive facts. */
  isEnabled(level: LogLevel): boolean;
  /** A logger whose lines carry `facts` as well. The kernel gives each plugin one with `{ plugin }`. */
  child(facts: Facts): Logger;
  /** Resolves when every line written so far has left the process. */
  flush(): Promise<void>;
}

export const Logger: ServiceToken<Logger> = serviceToken('@keelson/core/Logger');

/** Bound when no logger is configured. */
export const silentLogger: Logger = {
  trace() {},
  debug() {},
  info() {},
  warn() {},
  error() {},
  fatal() {},
  isEnabled: () => false,
  child: () => silentLogger,
  flush: async () => {},
};
