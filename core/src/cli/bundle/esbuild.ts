import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { refuse } from '../command.js';

export type BundleFormat = 'esm' | 'cjs';

export interface BundleRequest {
  /** The folder of the service, where esbuild and the packages are found. */
  readonly directory: string;
  /** The text of the entry. */
  readonly entry: string;
  readonly file: string;
  readonly format: BundleFormat;
  readonly minify: boolean;
}

type Build = (options: Readonly<Record<string, unknown>>) => Promise<unknown>;

const result = z.looseObject({ metafile: z.looseObject({ inputs: z.record(z.string(), z.unknown()) }) });

/**
 * Bundles a service with the esbuild that it has installed. Resolves to the paths of all files whose code is in the bundle.
 *
 * @throws KeelsonError CLI_BUNDLE_FAILED.
 */
export async function runEsbuild({
  directory,
  entry,
  file,
  format,
  minify,
}: BundleRequest): Promise<readonly string[]> {
  const build = esbuildOf(directory);
  try {
    const built = await build({
      absWorkingDir: directory,
      metafile: true,
      stdin: { contents: entry, resolveDir: directory, sourcefile: 'keelson-bundle.ts', loader: 'ts' },
      outfile: file,
      minify,
      ...bundleOptions(format),
    });
    return Object.keys(result.parse(built).metafile.inputs).map(input => resolve(directory, input));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return refuse(`esbuild could not create the bundle: ${reason}`, 'Fix this error.', 'CLI_BUNDLE_FAILED');
  }
}

/** What a Keelson service needs of esbuild; docs/bundling.md explains each. */
export function bundleOptions(format: BundleFormat) {
  return {
    bundle: true,
    platform: 'node',
    target: 'node22',
    format,
    sourcemap: 'linked',
    logLevel: 'error',
    // Optional packages with native code, which their users do without.
    external: ['dtrace-provider', 'pg-native'],
    ...formatOptions[format],
  };
}

const formatOptions = {
  // Packages that are CommonJS call `require` for the modules of Node.
  esm: {
    banner: {
      js: `import { createRequire as keelsonRequire } from 'node:module'; const require = keelsonRequire(import.meta.url);`,
    },
  },
  cjs: {
    banner: { js: `const keelsonUrl = require('node:url').pathToFileURL(__filename).href;` },
    define: { 'import.meta.url': 'keelsonUrl' },
  },
} as const;

const esbuildModule = z.looseObject({ build: z.custom<Build>(value => typeof value === 'function') });

function esbuildOf(directory: string): Build {
  const require = createRequire(join(directory, 'package.json'));
  try {
    return esbuildModule.parse(require('esbuild')).build;
  } catch (cause) {
    const isMissing = cause instanceof Error && 'code' in cause && cause.code === 'MODULE_NOT_FOUND';
    if (isMissing) {
      const hint = 'Run: npm install --save-dev esbuild';
      refuse('keelson bundle needs the package esbuild, which is not installed.', hint, 'CLI_BUNDLE_FAILED');
    }
    throw cause;
  }
}
