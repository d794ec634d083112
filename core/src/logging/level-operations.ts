import { z } from 'zod';
import { nearest } from '../config/nearest.js';
import type { Inspection } from '../contract/inspection.js';
import { KeelsonError } from '../contract/keelson-error.js';
import { defineOperation, type Operation } from '../contract/operation.js';
import { logLevels } from '../contract/slots/logger.js';
import type { LogLevels, TemporaryLevel } from './log-levels.js';

const plugin = z.string().min(1).optional().describe('The key of one plugin. Default: all.');

/** What an operator may do to the levels of a running logger. */
export function levelOperations<Config>(levels: LogLevels): Record<string, Operation<unknown, Config>> {
  return { level: setLevel(levels), 'reset-level': resetLevel(levels) };
}

function setLevel(levels: LogLevels) {
  return defineOperation({
    description:
      'Changes the lowest level that is written, of all plugins or of one plugin. It ends by itself after --for (default 15m).',
    arguments: z.object({
      level: z.enum(logLevels).describe('The lowest level that is written.'),
      plugin,
      forMs: z.int().min(1_000).max(86_400_000).default(900_000).describe('How long the level lasts, in milliseconds.'),
    }),
    run({ level, plugin, forMs }) {
      refuseUnknown(levels, plugin);
      const { until } = levels.set(level, plugin, forMs);
      return `The level ${whose(plugin)} is ${level} until ${until.toISOString()}, then ${configuredOf(levels, plugin)} again.`;
    },
  });
}

function resetLevel(levels: LogLevels) {
  return defineOperation({
    description: 'Ends a temporary level of all plugins or of one plugin before its time is over.',
    arguments: z.object({ plugin }),
    run({ plugin }) {
      refuseUnknown(levels, plugin);
      const changed = levels.reset(plugin);
      const now = `The level ${whose(plugin)} is ${levels.inForce(plugin)}`;
      return { done: changed ? `${now} again.` : `${now}; no temporary level was set.`, changed };
    },
  });
}

/** The levels in force, and those that end by themselves. */
export function inspectLevels(levels: LogLevels): Inspection {
  const temporary = levels.temporary();
  const plugins = Object.keys(levels.configuredPlugins);
  return {
    facts: {
      level: levels.inForce(),
      ...(plugins.length > 0 && { levels: Object.fromEntries(plugins.map(each => [each, levels.inForce(each)])) }),
      ...(temporary.length > 0 && { temporary: temporary.map(factsOf) }),
    },
  };
}

function factsOf({ level, plugin, until }: TemporaryLevel) {
  return { ...(plugin !== undefined && { plugin }), level, until: until.toISOString() };
}

function whose(plugin: string | undefined): string {
  return plugin === undefined ? 'of all plugins' : `of ${plugin}`;
}

/** What holds once the temporary level is over. */
function configuredOf(levels: LogLevels, plugin: string | undefined): string {
  const own = plugin === undefined ? undefined : levels.configuredPlugins[plugin];
  if (own !== undefined) return own;
  return plugin === undefined ? levels.level : levels.inForce();
}

/** A slip in the name must not look like a level that was changed. */
function refuseUnknown(levels: LogLevels, plugin: string | undefined): void {
  const { plugins } = levels;
  if (plugin === undefined || plugins.includes(plugin)) return;
  const meant = nearest(plugin, plugins);
  throw new KeelsonError({
    code: 'LOGGER_PLUGIN_UNKNOWN',
    message: `No running plugin "${plugin}" has a logger.`,
    hint: meant === undefined ? `Available: ${plugins.join(', ') || 'none'}.` : `Did you mean ${meant}?`,
    facts: { plugin, known: plugins },
  });
}
