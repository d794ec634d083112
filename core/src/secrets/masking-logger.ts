import { type Logger, type LogLevel, logLevels, silentLogger } from '../contract/slots/logger.js';
import { knowsSecrets } from './known-secrets.js';
import { maskSecretsIn } from './mask-values.js';
import { hasSecretFields } from './secret-fields.js';

/**
 * Returns a logger that passes only masked values to `logger`, also when a third party wrote it. All other members of
 * `logger` stay reachable.
 */
export function maskingLogger(logger: Logger): Logger {
  if (logger === silentLogger) return logger;
  // What is called for each line stands before the proxy, which would make every call dearer.
  const guarded = Object.create(reaching(logger)) as Logger;
  const own: Partial<Logger> = { child: facts => maskingLogger(logger.child(maskSecretsIn(facts))) };
  for (const level of logLevels) own[level] = writer(logger, level);
  for (const [name, value] of Object.entries(own)) Object.defineProperty(guarded, name, { value });
  return guarded;
}

/** Stands for the logger and is called in its name; a frozen one, too. */
function reaching(logger: Logger): object {
  return new Proxy(Object.create(Object.getPrototypeOf(logger)) as object, {
    get(_target, property) {
      const member: unknown = Reflect.get(logger, property, logger);
      return typeof member === 'function' && property !== 'constructor' ? member.bind(logger) : member;
    },
    set: (_target, property, value) => Reflect.set(logger, property, value, logger),
    has: (_target, property) => Reflect.has(logger, property),
  });
}

function writer(logger: Logger, level: LogLevel): Logger[LogLevel] {
  return (message, facts) => {
    if (!knowsSecrets() && !hasSecretFields()) return logger[level](message, facts);
    if (!logger.isEnabled(level)) return;
    logger[level](maskSecretsIn(message), maskSecretsIn(facts));
  };
}
