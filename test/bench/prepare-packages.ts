import { execFileSync } from 'node:child_process';
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { keelsonDirectory, type ServiceKind } from './service-kinds.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const packages = join(root, 'build/packages');
const service = join(packages, 'keelson-service');

/** Makes the packages as a release does, and puts the service of the bench beside them. */
export function preparePackages(): void {
  execFileSync(process.execPath, [join(root, '.ci/packages.mjs'), packages], { stdio: ['ignore', 2, 2] });
  cpSync(keelsonDirectory, service, { recursive: true });
}

/** Runs Keelson as users install it. Other kinds stay as they are. */
export function onMadePackages(kind: ServiceKind): ServiceKind {
  if (kind.directory !== keelsonDirectory) return kind;
  return { ...kind, script: join(packages, 'core/bin/keelson.js'), directory: service };
}
