import { nearest } from '../../config/nearest.js';
import type { InstanceStatus } from '../../control/protocol.js';
import type { OperationStatus } from '../../life/status.js';
import { defineCommand, exitCodes, refuse, type Terminal } from '../command.js';
import { type Answered, askEach, printAnswers } from '../instances/ask-each.js';
import { chosenInstances, instanceOptions } from '../instances/running-instances.js';

export const doOperation = defineCommand({
  description: `Without arguments, it lists the operations and their arguments. Otherwise it runs an operation on every instance of
this service that this user runs on this machine; with --pid, on one instance. The change lasts until another operation
reverts it or the process ends; an operation that ends by itself takes --for.`,
  words: {
    plugin: { optional: true, description: 'the key of a plugin, as keelson status lists it' },
    operation: { optional: true, description: 'the operation to run' },
    argument: { optional: true, multiple: true, description: 'the arguments of the operation' },
  },
  options: {
    ...instanceOptions,
    for: { value: 'time', description: 'how long the change lasts (5m), for an operation with the argument forMs' },
  },
  exitCodes: { 0: 'done by all', 1: 'no instance runs, or one failed' },
  examples: [
    'keelson do                                 what can be done',
    'keelson do retry hold database open        refuse every call to it',
    'keelson do retry release database          let its breaker decide again',
    'keelson do logger level debug --for 5m     write more for a while',
  ],
  async run({ options, words: { plugin, operation, argument }, terminal }) {
    const instances = await chosenInstances(options, terminal);
    if (plugin === undefined || operation === undefined) {
      const answers = await askEach(instances, async instance => operationsOf(await instance.status()));
      return list(plugin === undefined ? answers : only(plugin, answers), options, terminal);
    }
    const named = options.for === undefined ? undefined : { forMs: options.for };
    const answers = await askEach(instances, instance => instance.operate(plugin, operation, argument, named));
    printAnswers(answers, options, terminal, ({ done }, pid) => terminal.out(`pid ${pid}: ${done}`));
    return exitCodeOf(answers);
  },
});

interface CanBeDone {
  readonly operations: readonly (OperationStatus & { readonly plugin: string })[];
}

function operationsOf({ plugins }: Pick<InstanceStatus, 'plugins'>): CanBeDone {
  return { operations: plugins.flatMap(({ key, operations }) => operations.map(each => ({ plugin: key, ...each }))) };
}

/** @throws KeelsonError CLI_USAGE_INVALID when those who answered have nothing to do of that plugin. */
function only(plugin: string, answers: readonly Answered<CanBeDone>[]): Answered<CanBeDone>[] {
  const all = answers.flatMap(each => ('answer' in each ? each.answer.operations : []));
  if (answers.every(each => 'answer' in each) && !all.some(known => known.plugin === plugin)) {
    const meant = nearest(
      plugin,
      all.map(known => known.plugin),
    );
    const there = [...new Set(all.map(known => `${known.plugin} ${known.name}`))].join(', ') || 'no operation';
    const hint = meant === undefined ? `Available: ${there}.` : `Did you mean ${meant}?`;
    refuse(`No running plugin ${plugin} has an operation.`, hint);
  }
  return answers.map(each => {
    if (!('answer' in each)) return each;
    return { ...each, answer: { operations: each.answer.operations.filter(known => known.plugin === plugin) } };
  });
}

function list(
  answers: readonly Answered<CanBeDone>[],
  options: { readonly json: boolean },
  terminal: Terminal,
): number {
  // Instances of one service can do the same, unless one of them has an optional plugin that failed.
  const lines = new Set<string>();
  printAnswers(answers, options, terminal, ({ operations }) => {
    for (const operation of operations) lines.add(format(operation));
  });
  if (!options.json) terminal.out(lines.size === 0 ? 'No running plugin has an operation.' : [...lines].join('\n'));
  return exitCodeOf(answers);
}

function format({ plugin, name, description, arguments: expected }: CanBeDone['operations'][number]): string {
  const words = expected.map(({ name: word, required, choices }) => {
    const shown = `<${choices?.join('|') ?? word}>`;
    return required ? shown : `[${shown}]`;
  });
  return `keelson do ${[plugin, name, ...words].join(' ')}\n    ${description}`;
}

/** Codes of an instance for a mistake of the caller. */
const misunderstood = ['KERNEL_OPERATION_INVALID', 'KERNEL_OPERATION_UNKNOWN'];

function exitCodeOf(answers: readonly Answered<object>[]): number {
  const errors = answers.flatMap(each => ('error' in each ? [String(each.error.code)] : []));
  if (errors.length === 0) return exitCodes.clean;
  return errors.length === answers.length && errors.every(code => misunderstood.includes(code))
    ? exitCodes.usage
    : exitCodes.failed;
}
