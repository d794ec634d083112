import type { Writable } from 'node:stream';
import type { Clock } from '../contract/clock.js';
import { systemClock } from '../contract/clock.js';
import type { CorrelationContext } from '../contract/context.js';
import type { Plugin } from '../contract/plugin.js';
import type { PluginManifest } from '../contract/plugin-manifest.js';
import { Logger } from '../contract/slots/logger.js';
import { Telemetry } from '../contract/slots/telemetry.js';
import { CurrentTrace } from './current-trace.js';
import type { LeveledLogger } from './hardened-logger.js';
import { inspectLevels, levelOperations } from './level-operations.js';
import { LogLevels } from './log-levels.js';
import type { CommonLoggerOptions } from './options.js';

export interface LoggerTools {
  readonly clock: Clock;
  readonly levels: LogLevels;
  /** The ids of the calling code. Default: those of its context. */
  readonly ids?: () => CorrelationContext;
}

/** Returns the tools for a logger outside of a kernel: the system clock, and the levels of `options`. */
export function defaultTools(options: CommonLoggerOptions): LoggerTools {
  return { clock: systemClock, levels: new LogLevels(options, systemClock) };
}

export interface LoggerPluginParts<Config extends CommonLoggerOptions> {
  readonly manifest: PluginManifest<Config>;
  /** Makes the logger; `service` is its name unless the options have one, and the stream stays the caller's. */
  readonly createLogger: (config: Config, service: string, stream: Writable, tools: LoggerTools) => LeveledLogger;
}

/** The plugin of a logging library: all but the format of a line is the same for each. */
export function loggerPlugin<Config extends CommonLoggerOptions>(parts: LoggerPluginParts<Config>): Plugin<Config> {
  return {
    ...parts.manifest,
    register({ bind, config, service, clock }) {
      const levels = new LogLevels(config, clock);
      const trace = new CurrentTrace();
      const logger = parts.createLogger(config, service, process[config.stream], { clock, levels, ids: trace.ids });
      bind(Logger).toConstantValue(logger);
      return {
        start: () => ({
          // Here, and not in `start`: telemetry may itself start after the logger.
          ready({ container }) {
            if (container.isBound(Telemetry)) trace.follow(container.get(Telemetry));
          },
          reconfigure: ({ config }) => levels.configure(config),
          inspect: () => inspectLevels(levels),
          operations: levelOperations<Config>(levels),
          // The stream stays open: plugins that stop after the logger still write lines.
          stop() {
            levels.close();
            return logger.flush();
          },
        }),
      };
    },
  };
}
