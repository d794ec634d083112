/** @import { Facts, LogLevel } from '@keelson/core' */
import { createMask, currentContext, definePlugin, Logger, logLevels } from '@keelson/core';
import manifest from './manifest.js';

/** Copies facts so that nothing in them can throw, leak a secret or go on for ever. */
const mask = createMask();

/** @type {(level: LogLevel, facts?: Facts) => Logger} */
function createLogger(level, facts = {}) {
  const lowest = logLevels.indexOf(level);
  /** @type {Logger['isEnabled']} */
  const isEnabled = asked => logLevels.indexOf(asked) >= lowest;
  /** @type {(asked: LogLevel) => Logger['info']} */
  const write = asked => (message, more) => {
    if (!isEnabled(asked)) return;
    const copied = mask({ ...currentContext(), ...facts, ...spread(more) });
    const line = { ...Object(copied), time: new Date().toISOString(), level: asked, message: mask(message) };
    process.stdout.write(`${JSON.stringify(line)}\n`);
  };
  return {
    trace: write('trace'),
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    fatal: write('fatal'),
    isEnabled,
    child: more => createLogger(level, { ...facts, ...spread(more) }),
    flush: () => new Promise(resolve => process.stdout.write('', () => resolve())),
  };
}

/**
 * A copy of facts that may hold a getter that throws.
 *
 * @type {(facts: Facts | undefined) => Facts}
 */
function spread(facts) {
  try {
    return { ...facts };
  } catch {
    return Object(mask(facts));
  }
}

export default definePlugin({
  ...manifest,
  register({ bind, config }) {
    bind(Logger).toConstantValue(createLogger(config.level));
  },
});
