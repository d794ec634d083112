export {
  createHardenedLogger,
  type HardenedLoggerParts,
  type LeveledLogger,
  type RecordWriter,
} from './hardened-logger.js';
export { type LineFormat, type LineFormatName, lineFormatOf } from './line-format.js';
export { LineWriter } from './line-writer.js';
export { type ConfiguredLevels, LogLevels, type TemporaryLevel } from './log-levels.js';
export { defaultTools, type LoggerPluginParts, type LoggerTools, loggerPlugin } from './logger-plugin.js';
export { type LogRecord, prettyLine } from './pretty-line.js';
export type { RepeatOptions } from './repeated-failures.js';
