import { basename, resolve } from 'node:path';
import { defaults, namesOf, type Question, questions, toChosen } from './choices.js';
import { buildsOf, settingsFile, workspaceAbove } from './pnpm-workspace.js';
import { Refusal } from './refusal.js';
import { type ServiceRequest, serviceFiles } from './service-files.js';
import { assertName } from './service-name.js';
import { writeService } from './write-service.js';

export interface CreateOptions extends Partial<Readonly<Record<Question, string>>> {
  /** The folder, which is made; its last part is the name of the service unless `name` is given. */
  readonly folder: string;
  readonly name?: string;
  readonly packages?: ServiceRequest['packages'];
}

export interface CreatedService {
  readonly name: string;
  readonly folder: string;
  /** The paths of the files, with slashes. */
  readonly files: readonly string[];
  /** The pnpm workspace that the folder lies in; its settings are the only ones that pnpm reads. */
  readonly workspace?: CreatedInWorkspace;
}

export interface CreatedInWorkspace {
  /** The path of its `pnpm-workspace.yaml`. */
  readonly file: string;
  /** Lines to write below `allowBuilds` there. */
  readonly builds: readonly string[];
}

/**
 * Writes a new service: all of its files, or none. Installs nothing and starts nothing. In a pnpm workspace it leaves out
 * `pnpm-workspace.yaml`, which pnpm reads at the root of the workspace alone.
 *
 * @throws Refusal for a bad name, an unknown choice, or a folder that is not empty or cannot be written to.
 */
export function createService({ folder: given, name: wanted, packages, ...names }: CreateOptions): CreatedService {
  const folder = resolve(given);
  const name = wanted ?? basename(folder);
  assertName(name);
  for (const question of questions) assertKnown(question, names[question]);
  const chosen = toChosen({ ...defaults, ...names });
  if (chosen === undefined) throw new Error('bug: an unknown choice was not refused');
  const files = serviceFiles({ name, chosen, ...(packages !== undefined && { packages }) });
  const workspace = workspaceAbove(folder);
  const kept = new Map([...files].filter(([path]) => path !== settingsFile || workspace === undefined));
  writeService(folder, kept);
  return {
    name,
    folder,
    files: [...kept.keys()],
    ...(workspace !== undefined && { workspace: { file: workspace, builds: buildsOf(files.get(settingsFile) ?? '') } }),
  };
}

/** @throws Refusal */
export function assertKnown(question: Question, name: string | undefined): void {
  const known = namesOf(question);
  if (name === undefined || known.includes(name)) return;
  throw new Refusal(`--${question} cannot be ${JSON.stringify(name)}.`, `Use one of: ${known.join(', ')}.`, {
    isUsage: true,
  });
}
