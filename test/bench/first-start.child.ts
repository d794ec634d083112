/**
 * Starts a service of twenty plugins that do nothing, in a process of its own, and prints what it cost as JSON. With the
 * path of a file as its argument, each plugin has a schema and its values stand in that file.
 */
const [file] = process.argv.slice(2);

const from = performance.now();
const { definePlugin, Kernel, serviceToken } = await import('@keelson/core');
// What is loaded here is loaded by the service anyway: its plugins import them too.
const [{ z }] = await Promise.all([import('zod'), import('inversify'), file === undefined || import('yaml')]);
const loadMs = performance.now() - from;

const services = Array.from({ length: 20 }, (_, index) => serviceToken<{ readonly number: number }>(`bench/${index}`));

/** In five levels, each with a service. */
const plugins = Object.fromEntries(
  services.map((token, index) => {
    const before = services[index - 4];
    const plugin = definePlugin<unknown>({
      name: `plugin-${index}`,
      provides: [token],
      requires: before === undefined ? [] : [before],
      ...(file !== undefined && { config: schema() }),
      register: ({ bind }) =>
        void bind(token)
          .toDynamicValue(() => ({ number: index }))
          .inSingletonScope(),
      start: () => ({ stop() {} }),
    });
    return [plugin.name, plugin];
  }),
);

function schema() {
  return z.strictObject({
    host: z.string().min(1).describe('Where it listens.'),
    port: z.int().min(1).max(65_535).default(80),
    timeoutMs: z.number().min(0).default(5_000).describe('Longest wait, in milliseconds.'),
    pool: z.strictObject({ min: z.int().default(1), max: z.int().default(10) }).prefault({}),
  });
}

async function measure(): Promise<number> {
  const startedAt = performance.now();
  const kernel = await Kernel.start({ config: file ?? { service: 'bench' }, plugins, variables: {} });
  const took = performance.now() - startedAt;
  await kernel.stop();
  return took;
}

const [firstMs, ...laterMs] = [await measure(), await measure(), await measure(), await measure(), await measure()];
process.stdout.write(JSON.stringify({ loadMs, firstMs, warmMs: laterMs.at(-1) }));
