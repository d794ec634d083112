import { basename, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import type { Answers } from './ask.js';
import { defaults, namesOf, type Question, questions } from './choices.js';
import { assertKnown, type CreatedInWorkspace, type CreatedService, createService } from './create-service.js';
import { Refusal } from './refusal.js';
import { ownVersion } from './service-files.js';
import { assertName } from './service-name.js';
import { assertFree } from './write-service.js';

/** What the command reads from and writes to, so that it can be run in a test. */
export interface Terminal {
  /** Whether a person can answer. */
  readonly isInteractive: boolean;
  /** Which program has called: `npm_config_user_agent`. */
  readonly userAgent: string;
  out(text: string): void;
  err(text: string): void;
}

const options = {
  name: { type: 'string' },
  database: { type: 'string' },
  logger: { type: 'string' },
  telemetry: { type: 'string' },
  yes: { type: 'boolean', short: 'y', default: false },
  help: { type: 'boolean', short: 'h', default: false },
  version: { type: 'boolean', short: 'v', default: false },
} as const;

/** Runs `create-keelson <words>`; resolves to the exit code: 0 made, 1 not made, 2 wrong usage. */
export async function run(words: readonly string[], terminal: Terminal): Promise<number> {
  try {
    const { values, positionals } = read(words);
    if (values.help) terminal.out(help());
    else if (values.version) terminal.out(ownVersion());
    else return await create(positionals, values, terminal);
    return 0;
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    terminal.err(`${error.message}\n  -> ${error.hint}`);
    return error.isUsage ? 2 : 1;
  }
}

type Values = ReturnType<typeof read>['values'];

function read(words: readonly string[]) {
  try {
    return parseArgs({ args: [...words], options, allowPositionals: true });
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new Refusal(message, 'npm create keelson@latest -- --help lists the options.', { isUsage: true });
  }
}

async function create([folder, ...rest]: readonly string[], values: Values, terminal: Terminal): Promise<number> {
  if (rest.length > 0) {
    throw new Refusal(`The command creates one folder, and ${rest.join(', ')} is one too many.`, 'Give one name.', {
      isUsage: true,
    });
  }
  refuseAtOnce(folder, values);
  const answers =
    values.yes || !terminal.isInteractive ? settled(folder, values) : await askPerson(known(folder, values));
  if (answers === undefined) return 1;
  const { name, ...chosen } = answers;
  terminal.out(nextSteps(createService({ folder: folder ?? name, name, ...chosen }), terminal));
  return 0;
}

/** Before anything is asked. */
function refuseAtOnce(folder: string | undefined, values: Values): void {
  const name = values.name ?? (folder === undefined ? undefined : basename(resolve(folder)));
  if (name !== undefined) assertName(name);
  for (const question of questions) assertKnown(question, values[question]);
  if (folder !== undefined) assertFree(resolve(folder));
}

function known(folder: string | undefined, { name, database, logger, telemetry }: Values): Answers {
  return { name: name ?? (folder === undefined ? undefined : basename(resolve(folder))), database, logger, telemetry };
}

/** Without a question: what is not said is the default. */
function settled(folder: string | undefined, values: Values): Readonly<Record<Question | 'name', string>> {
  const { name, ...answers } = known(folder, values);
  if (name === undefined) {
    const hint = 'npm create keelson@latest my-service -- --yes';
    throw new Refusal('The service needs a name, and there is no terminal to ask for it.', hint, { isUsage: true });
  }
  const { database = defaults.database, logger = defaults.logger, telemetry = defaults.telemetry } = answers;
  return { name, database, logger, telemetry };
}

function nextSteps({ name, folder, files, workspace }: CreatedService, { userAgent }: Terminal): string {
  const place = relative(process.cwd(), folder);
  const program = /^(pnpm|yarn|bun)\//.exec(userAgent)?.[1] ?? 'npm';
  const script = program === 'npm' ? 'npm run' : program;
  return [
    `Created ${name}: ${files.length} files in ${place === '' ? 'this folder' : place}. Next:`,
    '',
    ...(place === '' ? [] : [`  cd ${place}`]),
    `  ${program} install`,
    `  ${program} test`,
    `  ${script} dev`,
    ...(workspace === undefined ? [] : workspaceSteps(workspace)),
  ].join('\n');
}

function workspaceSteps({ file, builds }: CreatedInWorkspace): readonly string[] {
  return [
    '',
    `Before that, in ${relative(process.cwd(), file)}: check that \`packages\` matches the folder, and add`,
    '',
    'allowBuilds:',
    ...builds,
  ];
}

function help(): string {
  const lines = questions.map(question => {
    const flag = `--${question} <${question}>`;
    return `  ${flag.padEnd(24)}${namesOf(question).join(', ')} (default: ${defaults[question]})`;
  });
  return [
    'Usage: npm create keelson@latest [<folder>] -- [options]',
    '',
    'Creates a small service: an entity, a migration, routes, tests, Dockerfile and CI.',
    'Asks for each missing value. Writes all files, or none.',
    '',
    'Options:',
    `  ${'--name <name>'.padEnd(24)}the name of the service (default: the name of the folder)`,
    ...lines,
    `  ${'-y, --yes'.padEnd(24)}ask nothing and use the defaults`,
    `  ${'-h, --help'.padEnd(24)}print this help`,
    `  ${'-v, --version'.padEnd(24)}print the version`,
    '',
    'Examples:',
    '  npm create keelson@latest order-book',
    '  npm create keelson@latest order-book -- --yes --database postgresql',
    '  pnpm create keelson order-book --logger pino --telemetry otel',
  ].join('\n');
}

/** Without a person, the prompts are not loaded. */
async function askPerson(known: Answers) {
  const { ask } = await import('./ask.js');
  return ask(known);
}
