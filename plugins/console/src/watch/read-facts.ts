import type { PluginStatus } from '@keelson/core';
import type { Breaker, Levels, OperationOf, Pool } from '../model.js';

type Record_ = Readonly<Record<string, unknown>>;

function recordOf(value: unknown): Record_ {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record_) : {};
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined;
}

/** The pools that plugins report: facts with `pool: { total, busy, waiting, max }`. */
export function poolsOf(plugins: readonly PluginStatus[]): Pool[] {
  return plugins.flatMap(({ key, facts }) => {
    const { state, since, cause, address, pool } = recordOf(facts);
    const { total, busy, waiting, max } = recordOf(pool);
    const numbers = [total, busy, waiting, max].map(numberOf);
    if (numbers.some(number => number === undefined)) return [];
    const [open = 0, used = 0, waits = 0, most = 0] = numbers;
    const { sqlState, systemCode } = recordOf(cause);
    const because = textOf(sqlState) ?? textOf(systemCode);
    return [
      {
        plugin: key,
        state: textOf(state) ?? 'unknown',
        ...optional('since', textOf(since)),
        ...optional('cause', because),
        ...optional('address', textOf(address)),
        total: open,
        busy: used,
        waiting: waits,
        max: most,
      },
    ];
  });
}

/** The breakers that plugins report: facts with `targets: { name: { breaker: { state } } }`. */
export function breakersOf(plugins: readonly PluginStatus[]): Breaker[] {
  return plugins.flatMap(({ key, facts }) =>
    Object.entries(recordOf(recordOf(facts).targets)).flatMap(([target, status]) => {
      const { breaker, waiting } = recordOf(status);
      const { state, sinceMs, breakLeftMs, lastCause } = recordOf(breaker);
      const { code, message } = recordOf(lastCause);
      if (typeof state !== 'string') return [];
      return [
        {
          plugin: key,
          target,
          state,
          ...optional('sinceMs', numberOf(sinceMs)),
          ...optional('breakLeftMs', numberOf(breakLeftMs)),
          ...optional('lastCause', code === undefined ? textOf(message) : String(code)),
          ...optional('waiting', numberOf(waiting)),
        },
      ];
    }),
  );
}

/** The levels of each logger that an operator can change. */
export function levelsOf(plugins: readonly PluginStatus[]): Levels[] {
  return plugins.flatMap(({ key, facts, operations }) => {
    const { level, temporary } = recordOf(facts);
    if (typeof level !== 'string' || !operations.some(({ name }) => name === 'level')) return [];
    const until = (Array.isArray(temporary) ? temporary : []).map(recordOf).map(each => ({
      ...optional('plugin', textOf(each.plugin)),
      level: String(each.level),
      until: String(each.until),
    }));
    return [{ plugin: key, level, temporary: until }];
  });
}

export function operationsOf(plugins: readonly PluginStatus[]): OperationOf[] {
  return plugins.flatMap(({ key, operations }) => operations.map(operation => ({ plugin: key, ...operation })));
}

/** The URL of the console of another instance; undefined when it has none. */
export function consoleUrlIn(plugins: readonly PluginStatus[]): string | undefined {
  for (const { facts } of plugins) {
    const url = textOf(recordOf(recordOf(facts).console).url);
    if (url !== undefined && URL.canParse(url)) return url;
  }
  return undefined;
}

export function breakerLevel(state: string): 0 | 1 | 2 {
  if (state === 'closed' || state === 'held-closed') return 0;
  return state === 'half-open' ? 1 : 2;
}

function optional<Name extends string, Value>(name: Name, value: Value | undefined): { [name in Name]?: Value } {
  return (value === undefined ? {} : { [name]: value }) as { [name in Name]?: Value };
}
