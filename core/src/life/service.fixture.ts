import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { stringify } from 'yaml';

const core = fileURLToPath(new URL('../..', import.meta.url));

/** The folder of a service, with the given files in it and `@keelson/core` and zod installed. Gone when disposed. */
export interface ServiceFolder extends Disposable {
  readonly directory: string;
  /** Its `keelson.yaml`. */
  readonly config: string;
  path(name: string): string;
  write(name: string, contents: string | object): void;
}

/** A file whose contents are an object is written as YAML, or as JSON when it ends in `.json`. */
export function serviceFolder(files: Readonly<Record<string, string | object>>): ServiceFolder {
  const directory = mkdtempSync(join(tmpdir(), 'keelson-service-'));
  const path = (name: string) => join(directory, name);
  const write = (name: string, contents: string | object) => {
    mkdirSync(dirname(path(name)), { recursive: true });
    writeFileSync(path(name), typeof contents === 'string' ? contents : serialize(name, contents));
  };
  const install = (name: string, target: string) => {
    mkdirSync(dirname(path(`node_modules/${name}`)), { recursive: true });
    symlinkSync(target, path(`node_modules/${name}`));
  };
  write('package.json', { name: 'service', type: 'module' });
  install('@keelson/core', core);
  install('zod', join(core, '../node_modules/zod'));
  for (const [name, contents] of Object.entries(files)) write(name, contents);
  return {
    directory,
    config: path('keelson.yaml'),
    path,
    write,
    [Symbol.dispose]: () => rmSync(directory, { recursive: true, force: true }),
  };
}

/** The same for one test, gone when it has finished. */
export function testServiceFolder(files: Readonly<Record<string, string | object>>): ServiceFolder {
  const folder = serviceFolder(files);
  onTestFinished(() => folder[Symbol.dispose]());
  return folder;
}

function serialize(name: string, contents: object): string {
  return name.endsWith('.json') ? JSON.stringify(contents) : stringify(contents);
}

/** The files of an installed package, for `serviceFolder`. `main` and `manifest` are the sources of the two modules. */
export function packageFiles(name: string, main: string, manifest?: string): Record<string, string | object> {
  const root = `node_modules/${name}`;
  return {
    [`${root}/package.json`]: {
      name,
      version: '1.2.3',
      type: 'module',
      exports: { '.': './main.js', ...(manifest !== undefined && { './manifest': './manifest.js' }) },
    },
    [`${root}/main.js`]: main,
    ...(manifest !== undefined && { [`${root}/manifest.js`]: manifest }),
  };
}
