import { nearest } from '../config/nearest.js';
import type { OperationStatus } from '../life/status.js';
import { type Command, exitCodes, type Terminal, wrongUsage } from './command.js';
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
      const told = await askEach(instances, async instance => operationsOf(await instance.status()));
      return list(plugin === undefined ? told : only(plugin, told), json, terminal);
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

interface CanBeDone {
  readonly operations: readonly Known[];
}

function operationsOf({ plugins }: Asked): CanBeDone {
  return { operations: plugins.flatMap(({ key, operations }) => operations.map(each => ({ plugin: key, ...each }))) };
}

/** @throws KeelsonError CLI_USAGE_INVALID when those who answered have nothing to do of that plugin. */
function only(plugin: string, told: readonly Told<CanBeDone>[]): Told<CanBeDone>[] {
  const all = told.flatMap(each => ('answer' in each ? each.answer.operations : []));
  if (told.every(each => 'answer' in each) && !all.some(known => known.plugin === plugin)) {
    const meant = nearest(
      plugin,
      all.map(known => known.plugin),
    );
    const there = [...new Set(all.map(known => `${known.plugin} ${known.name}`))].join(', ') || 'nothing to do';
    const hint = meant === undefined ? `There is: ${there}.` : `Did you mean ${meant}?`;
    throw wrongUsage(`No plugin ${plugin} that runs has something to do.`, hint);
  }
  return told.map(each => {
    if (!('answer' in each)) return each;
    return { ...each, answer: { operations: each.answer.operations.filter(known => known.plugin === plugin) } };
  });
}

function list(told: readonly Told<CanBeDone>[], json: boolean, terminal: Terminal): number {
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

/** What an instance could not make sense of is the fault of who asked. */
const misunderstood = ['KERNEL_OPERATION_INVALID', 'KERNEL_OPERATION_UNKNOWN'];

function exitCodeOf(told: readonly Told<object>[]): number {
  const errors = told.flatMap(each => ('error' in each ? [String(each.error.code)] : []));
  if (errors.length === 0) return exitCodes.clean;
  return errors.length === told.length && errors.every(code => misunderstood.includes(code))
    ? exitCodes.usage
    : exitCodes.failed;
}
