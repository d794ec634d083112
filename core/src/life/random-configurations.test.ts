import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { formatProblem, type Problem } from '../config/problem.js';
import { isKeelsonError } from '../contract/keelson-error.js';
import type { Plugin } from '../contract/plugin.js';
import { errorCodes } from '../error-codes.js';
import { PlanError } from './errors.js';
import { Kernel } from './kernel.js';
import { type ServiceFolder, serviceFolder } from './service.fixture.js';

/**
 * The law of every configuration, valid or broken: a start either runs every plugin it names, or nothing at all ran and
 * every problem is named with its code and its place. Never a crash, never a partial start, never a secret.
 */

const secret = 'hunter2-secret';
const started: string[] = [];
const codes: ReadonlySet<string> = new Set(errorCodes);
const tally = new Map<string, number>();

let folder: ServiceFolder;
beforeAll(() => {
  folder = serviceFolder({ 'broken.js': 'nonsense(', 'none.js': 'export default 7;', 'secret.txt': secret });
});
afterAll(() => folder[Symbol.dispose]());

const mostly = <T, U>(usual: fc.Arbitrary<T>, other: fc.Arbitrary<U>, weight = 9) =>
  fc.oneof({ weight, arbitrary: usual }, { weight: 1, arbitrary: other });

const reference = fc.constantFrom(
  `\${URL}`,
  `\${MISSING}`,
  `\${MISSING:-x}`,
  `\${file:secret.txt}`,
  `\${file:no}`,
  `\${`,
  '$${',
);
const anything = fc.oneof(reference, fc.string({ maxLength: 8 }), fc.integer(), fc.boolean(), fc.constant(null));
const soundValues = fc.record(
  {
    port: fc.constantFrom(1, 65_535, `\${PORT:-8080}`),
    url: fc.constantFrom('x', `\${file:secret.txt}`, `\${MISSING:-x}`),
    pool: fc.record({ max: fc.integer(), timeoutMs: fc.constantFrom(5, '5s') }),
  },
  { requiredKeys: [] },
);
const brokenValues = fc.dictionary(
  fc.constantFrom('port', 'url', 'password', 'pool', 'prot', 'optional', 'startTimeoutMs', '__proto__', 'x y'),
  fc.oneof(anything, fc.dictionary(fc.constantFrom('max', 'mxa', 'timeoutMs'), anything)),
  { maxKeys: 4 },
);

const schema = z.object({
  port: z.int().min(1).max(65_535).optional(),
  url: z.string().optional(),
  password: z.string().max(4).optional().meta({ secret: true }),
  pool: z.object({ max: z.int(), timeoutMs: z.int().default(5) }).optional(),
});

const keys = ['a', 'b', 'c', 'd', 'e'];
const tokenOf = (key: string) => Symbol.for(`test/random/${key}`);
const needed = fc.uniqueArray(fc.constantFrom(...keys.map(tokenOf)), { maxLength: 1 });

/** What a plugin given in code is like, and what the configuration says of it. */
const behaviour = fc.record({
  key: mostly(
    fc.constantFrom(...keys),
    fc.constantFrom('logger', 'database/x', 'e f', '', '__proto__', 'constructor'),
    30,
  ),
  slot: mostly(fc.constant(undefined), fc.constantFrom('logger', 'database', 'mail'), 30),
  contract: mostly(fc.constant(undefined), fc.constantFrom('^0.1.0', '^9.0.0', 'odd'), 20),
  requires: mostly(fc.constant([]), needed, 2),
  uses: mostly(fc.constant([]), needed, 2),
  binds: mostly(fc.constant(true), fc.constant(false), 30),
  fails: mostly(fc.constant(undefined), fc.constantFrom('register', 'start', 'ready'), 3),
  optional: mostly(fc.constant(false), fc.boolean(), 3),
  values: mostly(soundValues, brokenValues, 20),
});
type Behaviour = typeof behaviour extends fc.Arbitrary<infer T> ? T : never;

/** Entries of the configuration that no code gives a plugin for. */
const strangers = fc.dictionary(
  fc.constantFrom('x', 'logger', 'a/b', 'e f', ''),
  fc.oneof(
    fc.record({ use: fc.constantFrom('none', './broken.js', './none.js', './gone.js', '@acme/gone', 'nope', '') }),
    fc.record({ use: anything }),
    anything,
  ),
  { minKeys: 1, maxKeys: 2 },
);
const top = fc.record({ service: anything, servce: anything, startup: anything }, { requiredKeys: [] });

const variables = mostly(
  fc.constant({}),
  fc.dictionary(
    fc.constantFrom('URL', 'KEELSON_A__PORT', 'KEELSON_A__POOL__MAX', 'KEELSON_NOPE__X', 'KEELSON___', 'KEELSON_A__'),
    fc.constantFrom('1', 'x', '', '7'),
    { maxKeys: 2 },
  ),
  5,
);

function pluginOf({ key, binds, fails, slot, contract, requires, uses }: Behaviour): Plugin {
  const failIn = (hook: string) => {
    if (fails === hook) throw new Error(`${key} fails in ${hook}`);
  };
  return {
    name: key,
    config: schema,
    provides: [tokenOf(key)],
    requires,
    optional: uses,
    ...(slot !== undefined && { slot }),
    ...(contract !== undefined && { contract }),
    register: ({ bind }) => {
      failIn('register');
      if (binds) bind(tokenOf(key)).toConstantValue({});
    },
    start: ({ defer }) => {
      started.push(key);
      defer(() => void started.splice(started.indexOf(key), 1));
      failIn('start');
      return { ready: () => failIn('ready') };
    },
  };
}

/** Without a documented code, a place or a sentence. */
function isVague({ code, origin, message }: Problem): boolean {
  return !codes.has(code) || origin === undefined || message.length <= 10;
}

async function holds(
  config: object,
  given: Record<string, Plugin>,
  environment: Record<string, string>,
): Promise<void> {
  started.length = 0;
  const options = {
    config: config as Record<string, unknown>,
    variables: environment,
    plugins: given,
    directory: folder.directory,
  };
  const outcome = await Kernel.start(options).catch((error: unknown) => error);
  const kind = outcome instanceof Kernel ? 'ready' : isKeelsonError(outcome) ? outcome.code : 'crash';
  tally.set(kind, (tally.get(kind) ?? 0) + 1);
  if (outcome instanceof Kernel) {
    const running = outcome.report.plugins.filter(plugin => plugin.outcome === 'started').map(plugin => plugin.key);
    expect(outcome.report.plugins.filter(plugin => plugin.outcome !== 'started').every(plugin => plugin.optional)).toBe(
      true,
    );
    expect([...started].sort()).toEqual(running.sort());
    await outcome.stop();
  } else {
    expect(isKeelsonError(outcome), String(outcome)).toBe(true);
    if (!isKeelsonError(outcome)) return;
    expect(['KERNEL_PLAN_INVALID', 'KERNEL_START_FAILED']).toContain(outcome.code);
    expect(JSON.stringify(outcome)).not.toContain(secret);
    expect(outcome.message).not.toContain(secret);
    if (outcome instanceof PlanError) {
      const { problems } = outcome;
      expect(problems.length).toBeGreaterThan(0);
      expect(problems.filter(isVague).map(formatProblem)).toEqual([]);
    }
  }
  expect(started).toEqual([]);
}

/** `RANDOM_CONFIGURATIONS=100000 npm test -- random-configurations` tries more; each run tries others. */
const runs = Number(process.env.RANDOM_CONFIGURATIONS ?? 1_500);
const texts = 1_000;

test(`of ${runs} random configurations, each runs whole or not at all, and says what is wrong and where`, async () => {
  const behaviours = fc.uniqueArray(behaviour, { selector: each => each.key, maxLength: 5 });
  const odd = fc.constant({});
  await fc.assert(
    fc.asyncProperty(
      behaviours,
      mostly(odd, strangers, 8),
      mostly(odd, top),
      variables,
      async (known, others, more, environment) => {
        const entries = known.map(
          each => [each.key, { ...each.values, ...(each.optional && { optional: true }) }] as const,
        );
        const given = known.map(each => [each.key, pluginOf(each)] as const);
        const plugins = { ...Object.fromEntries(entries), ...others };
        await holds({ ...more, plugins }, Object.fromEntries(given), environment);
      },
    ),
    { numRuns: runs },
  );
  // The law says nothing if one kind hardly occurs.
  for (const kind of ['ready', 'KERNEL_PLAN_INVALID', 'KERNEL_START_FAILED']) {
    expect(tally.get(kind) ?? 0, kind).toBeGreaterThan(runs / 50);
  }
}, 300_000);

test(`of ${texts} random texts, none keeps the reader from saying what is wrong with it`, async () => {
  const lines = fc.array(
    fc.oneof(
      fc.constantFrom(
        'plugins:',
        '  a:',
        '    use: x',
        '  b: {',
        '}',
        '- 1',
        'service: *x',
        '&a b: c',
        '? [1]',
        '\t',
        '<<: *a',
        '---',
      ),
      fc.string({ maxLength: 12 }),
    ),
    { maxLength: 8 },
  );
  await fc.assert(
    fc.asyncProperty(lines, async given => {
      folder.write('random.yaml', given.join('\n'));
      const { problems } = await Kernel.plan({ config: folder.path('random.yaml'), variables: {} });
      for (const problem of problems) {
        expect(errorCodes).toContain(problem.code);
        expect(problem.origin, formatProblem(problem)).toMatchObject({
          from: 'file',
          place: { file: expect.any(String) },
        });
      }
    }),
    { numRuns: texts },
  );
}, 300_000);
