import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, globSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { Cmd, Copy, DockerfileParser, Env, From, type Instruction } from 'dockerfile-ast';
import { personalVariables } from './observed-process.js';

/** What a stage of a Dockerfile has made, in a folder that stands for the root of its file system. */
export interface Stage {
  readonly image: string;
  readonly root: string;
  /** In the image, from its root. */
  readonly directory: string;
  readonly variables: Readonly<Record<string, string>>;
  readonly user: string | undefined;
  readonly command: readonly string[];
}

type Draft = { -readonly [Key in keyof Stage]: Stage[Key] };

/**
 * Does what `docker build` does with the files and commands of a Dockerfile, below `place`, in the system of this machine and as
 * its user. Returns the last stage.
 *
 * @throws Error for a source of COPY, a stage or an instruction that there is not, and for a command that fails.
 */
export function buildDockerfile(context: string, place: string): Stage {
  const dockerfile = DockerfileParser.parse(readFileSync(join(context, 'Dockerfile'), 'utf8'));
  const ignored = new Set(readFileSync(join(context, '.dockerignore'), 'utf8').trim().split('\n'));
  const stages = new Map<string, Draft>();
  let stage: Draft | undefined;
  for (const instruction of dockerfile.getInstructions()) {
    if (instruction instanceof From) {
      const name = instruction.getBuildStage() ?? String(stages.size);
      const root = join(place, name);
      mkdirSync(root, { recursive: true });
      stage = {
        image: instruction.getImage() ?? '',
        root,
        directory: '/',
        variables: {},
        user: undefined,
        command: [],
      };
      stages.set(name, stage);
    } else if (stage === undefined) {
      throw new Error(`${instruction.getKeyword()} before FROM`);
    } else if (instruction instanceof Copy) {
      copy(instruction, stage, stages, context, ignored);
    } else {
      apply(instruction, stage);
    }
  }
  if (stage === undefined) throw new Error('The Dockerfile has no stage');
  return stage;
}

function copy(
  instruction: Copy,
  stage: Stage,
  stages: ReadonlyMap<string, Stage>,
  context: string,
  ignored: ReadonlySet<string>,
): void {
  const flag = instruction.getFlags().find(each => each.getName() === 'from');
  const from = flag === undefined ? undefined : stages.get(flag.getValue() ?? '');
  if (flag !== undefined && from === undefined) throw new Error(`No stage ${flag.getValue()}`);
  const words = instruction.getArguments().map(each => each.getValue());
  const target = words.at(-1) ?? '';
  const origin = from?.root ?? context;
  const destination = join(stage.root, resolve(stage.directory, target));
  for (const source of words.slice(0, -1)) {
    const relative = source.replace(/^\//, '');
    // A pattern may match nothing.
    const found = source.includes('*') ? globSync(relative, { cwd: origin }) : [relative];
    if (found.some(path => !existsSync(join(origin, path)))) throw new Error(`COPY of ${source}, which does not exist`);
    for (const path of found) {
      const file = join(origin, path);
      const isFolder = statSync(file).isDirectory();
      const to = isFolder || !target.endsWith('/') ? destination : join(destination, basename(path));
      const isTaken = (entry: string) => from !== undefined || !ignored.has(entry.slice(context.length + 1));
      cpSync(file, to, { recursive: true, verbatimSymlinks: true, filter: isTaken });
    }
  }
}

function apply(instruction: Instruction, stage: Draft): void {
  const content = instruction.getArgumentsContent() ?? '';
  const keyword = instruction.getKeyword();
  if (keyword === 'WORKDIR') {
    stage.directory = resolve(stage.directory, content);
    mkdirSync(join(stage.root, stage.directory), { recursive: true });
  } else if (keyword === 'RUN') {
    // An absolute path of the image is one below its folder.
    const command = content.replaceAll(/(?<= )\//g, `${stage.root}/`);
    const cwd = join(stage.root, stage.directory);
    const { status, stdout, stderr } = spawnSync('sh', ['-c', command], {
      cwd,
      env: { ...personalVariables(), ...stage.variables },
      encoding: 'utf8',
    });
    if (status !== 0) throw new Error(`RUN ${command} ended with code ${status}:\n${stdout}${stderr}`);
  } else if (keyword === 'USER') {
    stage.user = content;
  } else if (instruction instanceof Env) {
    const values = instruction.getProperties().map(each => [each.getName(), each.getValue() ?? '']);
    stage.variables = { ...stage.variables, ...Object.fromEntries(values) };
  } else if (instruction instanceof Cmd) {
    stage.command = instruction.getJSONStrings().map(each => each.getJSONValue());
  } else if (keyword !== 'EXPOSE' && keyword !== 'HEALTHCHECK') {
    throw new Error(`This does not know ${keyword}`);
  }
}
