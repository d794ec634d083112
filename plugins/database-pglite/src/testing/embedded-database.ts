import { join, resolve } from 'node:path';
import { Deadline, type Plugin, type StartContext } from '@keelson/core';
import { DatabaseModel, DatabaseService, databasePlugin } from '@keelson/database';
import { PgliteDriver as MikroOrmPgliteDriver } from '@mikro-orm/pglite';
import manifest from '../manifest.js';
import { inMemory, type PgliteOptions } from '../options.js';
import { PgliteDriver } from '../pglite-driver.js';
import { TemplateFile } from './template-file.js';
import { templateKey } from './template-key.js';

export interface EmbeddedDatabaseOptions {
  /**
   * Stores what each test finds. Runs once, after the migrations, when the template is made; its source text is part of the
   * key of the template.
   */
  readonly prepare?: (database: DatabaseService) => Promise<void>;
  /** Whatever else the template depends on: a change makes a new one. */
  readonly key?: string;
  /** Where templates are kept, 40 MB each. Default: `node_modules/.cache/keelson` in the working directory. */
  readonly directory?: string;
}

/**
 * The plugin of this package for tests: a database in memory that begins as a copy of a template. The template is an empty
 * database after `migrations.atStart` and `prepare`. The first start makes it, and keeps it in a file for all later starts
 * of all processes. It is made again when a migration, `prepare`, `key` or the version of PGlite changes.
 *
 * Each start has a database of its own. With a `dataDir` that is a folder it is the plugin itself, and has no template.
 *
 * A migration is known by its name and its source text. When it reads files, put their contents into `key`.
 */
export function embeddedDatabase(options: EmbeddedDatabaseOptions = {}): Plugin<PgliteOptions> {
  const directory = resolve(options.directory ?? join('node_modules', '.cache', 'keelson'));
  return {
    ...manifest,
    async register(context) {
      let template: TemplateFile | undefined;
      let driver: PgliteDriver | undefined;
      // Another process may make the template at any time: what counts is what the database begins with.
      let isCopy = false;
      const plugin = databasePlugin({
        manifest,
        ormDriver: MikroOrmPgliteDriver,
        createDriver(config, of) {
          driver = new PgliteDriver(config, of, async () => {
            const dump = await template?.read();
            isCopy ||= dump !== undefined;
            return dump;
          });
          return driver;
        },
      });
      const registered = (await plugin.register?.(context)) ?? {};
      return {
        async start(running) {
          const { config, container, instance, serving } = running;
          if (config.dataDir === inMemory && serving) {
            const models = container.getAll(DatabaseModel, { optional: true });
            const own = models.filter(model => model.database === instance);
            const { prepare, key } = options;
            template = new TemplateFile(directory, templateKey({ config, models: own, prepare, key }));
          }
          const started = await registered.start?.(running);
          if (template === undefined || isCopy || driver === undefined) return started;
          await options.prepare?.(databaseOf(running));
          await template.write(await driver.dump(Deadline.after(config.connect.timeoutMs, running.clock)));
          return started;
        },
      };
    },
  };
}

function databaseOf({ container, instance }: StartContext<PgliteOptions>): DatabaseService {
  return container.get(DatabaseService, instance === undefined ? {} : { name: instance });
}
