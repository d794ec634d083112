import { describe, expect, test } from 'vitest';
import { definePlugin, type Plugin } from '../contract/plugin.js';
import type { PluginManifest } from '../contract/plugin-manifest.js';
import { RetryPolicy } from '../contract/slots/retry-policy.js';
import { silentTelemetry, Telemetry } from '../contract/slots/telemetry.js';
import { Kernel } from '../life/kernel.js';
import { formatStartReport } from '../life/report.js';
import { Book, book, failing, type Named, startKernel } from '../life/start.fixture.js';
import { decoratorsOf } from '../plan/decorations.js';
import { toMermaid } from '../plan/draw-graph.js';

/** Wraps the book in its own name. */
const wrapping = (name: string, more: Partial<PluginManifest> = {}): Plugin => ({
  name,
  decorates: [Book],
  ...more,
  register: ({ decorate }) => decorate<Named>(Book, inner => ({ name: `${name}(${inner.name})` })),
});

test('all users get the decorator, its own plugin and the provider of the service included', async () => {
  const seen: Named[] = [];
  const reader = definePlugin({
    name: 'reader',
    requires: [Book],
    start: ({ container }) => void seen.push(container.get(Book)),
  });
  await using kernel = await startKernel({ plugins: { reader, cover: wrapping('cover'), book: book() } });
  expect(seen).toEqual([{ name: 'cover(book)' }]);
  expect(kernel.container.get(Book)).toBe(seen[0]);
});

test('several lie around each other in the order of their registration', async () => {
  const plugins = { inner: wrapping('inner'), outer: wrapping('outer', { requires: [Book] }), book: book() };
  await using kernel = await startKernel({ plugins });
  expect(kernel.container.get(Book)).toEqual({ name: 'outer(inner(book))' });
});

test('the silent default of a slot is decorated too', async () => {
  const doubling = definePlugin({
    name: 'doubling',
    decorates: [RetryPolicy],
    register: ({ decorate }) =>
      decorate(RetryPolicy, inner => ({
        execute: async (work, options) => {
          await inner.execute(work, options);
          return inner.execute(work, options);
        },
      })),
  });
  await using kernel = await startKernel({ plugins: { doubling } });
  let runs = 0;
  await kernel.container.get(RetryPolicy).execute(async () => ++runs, { name: 'test', idempotent: true });
  expect(runs).toBe(2);
});

test('an optional plugin is decorated around its switchable service, so that it is while it is away and when it is back', async () => {
  const decorated: unknown[] = [];
  const watching = definePlugin({
    name: 'watching',
    decorates: [RetryPolicy],
    register: ({ decorate }) =>
      decorate(RetryPolicy, inner => ({
        execute: (work, options) => {
          decorated.push(options.name);
          return inner.execute(work, options);
        },
      })),
  });
  const retry: Plugin = {
    name: 'twice',
    slot: 'retry',
    provides: [RetryPolicy],
    register: ({ bind }) => void bind(RetryPolicy).toConstantValue({ execute: async () => 'of the plugin' as never }),
  };
  const overrides = { plugins: { retry: { optional: true } } };
  await using kernel = await startKernel({ plugins: { watching, retry }, overrides });
  const result = await kernel.container.get(RetryPolicy).execute(async () => 'work', { name: 'a', idempotent: true });
  expect([result, decorated]).toEqual(['of the plugin', ['a']]);
});

test('who decorates must say so', async () => {
  const error = await failing({ plugins: { cover: wrapping('cover', { decorates: [] }), book: book() } });
  expect(error.cause).toMatchObject({
    code: 'PLUGIN_BINDING_REFUSED',
    facts: { plugin: 'cover', token: 'test/Book' },
  });
});

test('every hook gets the environment, or undefined when none is set', async () => {
  const told: unknown[] = [];
  const tell = ({ environment }: { environment: string | undefined }) => void told.push(environment);
  const telemetry: Plugin = {
    name: 'hooking',
    slot: 'telemetry',
    provides: [Telemetry],
    instrument: tell,
    register: context => {
      tell(context);
      context.bind(Telemetry).toConstantValue(silentTelemetry);
    },
    start: tell,
  };
  {
    await using _kernel = await startKernel({ plugins: { telemetry }, environment: 'production' });
    expect(told.splice(0)).toEqual(['production', 'production', 'production']);
  }
  await using _kernel = await startKernel({ plugins: { telemetry } });
  expect(told).toEqual([undefined, undefined, undefined]);
});

describe('the decorations of a service are reported', () => {
  const retrying = definePlugin({
    name: 'retrying',
    decorates: [RetryPolicy, Book],
    register: ({ decorate }) => decorate(RetryPolicy, inner => inner),
  });
  const plugins = { cover: wrapping('cover'), retrying, book: book() };

  test('by the plan, the innermost first, for silent defaults too', async () => {
    const plan = await Kernel.plan({ config: {}, plugins, variables: {} });
    expect(plan.slots.find(({ slot }) => slot === 'retry')).toMatchObject({
      filledBy: 'single attempt',
      decoratedBy: ['retrying'],
    });
    expect(plan.slots.find(({ slot }) => slot === 'logger')?.decoratedBy).toEqual([]);
    expect(decoratorsOf([Book], plan.plugins)).toEqual(['cover', 'retrying']);
  });

  test('by the start report, with the services that were really wrapped', async () => {
    await using kernel = await startKernel({ plugins });
    const told = Object.fromEntries(kernel.report.plugins.map(({ key, decorates }) => [key, decorates]));
    expect(told).toEqual({ cover: ['test/Book'], retrying: ['retry'], book: undefined });
    expect(formatStartReport(kernel.report)).toMatch(/retrying +\d+ ms {2}code:retrying {2}decorates retry$/m);
  });

  test('by the drawing: a line to the plugin that is wrapped, and a label for the silent default', async () => {
    const plan = await Kernel.plan({ config: {}, plugins, variables: {} });
    expect(toMermaid(plan)).toContain('p0 -. decorates .-> p2');
    expect(toMermaid(plan)).toContain('retrying<br/>code:retrying<br/>decorates retry, test/Book');
  });
});
