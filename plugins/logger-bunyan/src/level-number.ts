import { type LogLevel, logLevels } from '@keelson/core';

/** The number that bunyan writes for a level: 10 for `trace` up to 60 for `fatal`. */
export function levelNumber(level: LogLevel): number {
  return (logLevels.indexOf(level) + 1) * 10;
}
