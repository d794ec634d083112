import type { OperationStatus } from '../control/status.js';
import { type Command, exitCodes, type Terminal } from './command.js';
import { askEach, chosenInstances, formatTold, instanceOptions, type Told } from './running-instances.js';

export const doOperation: Command = {
  name: 'do',
  summary: 'have a plugin of the running service do something: hold a breaker open, release it',
  usage:
    '[<plugin> [<operation> [<argument>...]]] [--pid <pid>] [--config keelson.yaml] [--environment <name>] [--json]',
  help: `Without an operation it lists what can be done now, and with which arguments. Otherwise every instance of this service
that this user runs on this machine does it, or the one with --pid. What was done lasts until it is undone or the process ends.

Exit codes: 0 done by all, 1 none runs, or one could not do it, 2 wrong usage.

  keelson do                                 what can be done
  keelson do retry hold database open        refuse every call to the target "database"
  keelson do retry release database          let its breaker judge again`,
  options: instanceOptions,
  positionals: true,
  async run(options, [plugin, operation, ...words], terminal) {
    const instances = await chosenInstances(options, terminal);
    const json = options.json === true;
    if (plugin === undefined || operation === undefined) {
      const told = await askEach(instances, async instance => operationsOf(await instance.status(), plugin));
      return list(told, json, terminal);
    }
    const told = await askEach(instances, instance => instance.operate(plugin, operation, words));
    if (json) terminal.out(JSON.stringify(told.map(flat), undefined, 2));
    else {
      for (const each of told) {
        if ('answer' in each) terminal.out(`pid ${each.pid}: ${each.answer.done}`);
        else terminal.err(formatTold(each));
      }
    }
    return exitCodeOf(told);
  },
};

type Known = OperationStatus & { readonly plugin: string };

interface Asked {
  readonly plugins: readonly { readonly key: string; readonly operations: readonly OperationStatus[] }[];
}

function operationsOf({ plugins }: Asked, wanted: string | undefined): { readonly operations: readonly Known[] } {
  const chosen = plugins.filter(({ key }) => wanted === undefined || key === wanted);
  return { operations: chosen.flatMap(({ key, operations }) => operations.map(each => ({ plugin: key, ...each }))) };
}

function list(told: readonly Told<{ operations: readonly Known[] }>[], json: boolean, terminal: Terminal): number {
  if (json) terminal.out(JSON.stringify(told.map(flat), undefined, 2));
  else {
    for (const each of told) if ('error' in each) terminal.err(formatTold(each));
    // Instances of one service can do the same, unless one of them has an optional plugin that failed.
    const lines = told.flatMap(each => ('answer' in each ? each.answer.operations.map(format) : []));
    terminal.out(lines.length === 0 ? 'There is nothing to do.' : [...new Set(lines)].join('\n'));
  }
  return exitCodeOf(told);
}

function format({ plugin, name, description, arguments: expected }: Known): string {
  const words = expected.map(({ name: word, required, choices }) => {
    const shown = `<${choices?.join('|') ?? word}>`;
    return required ? shown : `[${shown}]`;
  });
  return `keelson do ${[plugin, name, ...words].join(' ')}\n    ${description}`;
}

function flat<Answer extends object>({ pid, ...rest }: Told<Answer>): object {
  return { pid, ...('answer' in rest ? rest.answer : rest) };
}

function exitCodeOf(told: readonly object[]): number {
  return told.every(each => 'answer' in each) ? exitCodes.clean : exitCodes.failed;
}
