import { nearest } from '../../config/nearest.js';
import { formatProblem } from '../../config/problem.js';
import type { PluginCommand } from '../../contract/plugin-command.js';
import { PlanError } from '../../life/errors.js';
import { Kernel } from '../../life/kernel.js';
import type { Plan } from '../../plan/plan.js';
import { defineCommand, exitCodes, printJson, refuse, type Terminal } from '../command.js';
import { describeArguments, readArguments } from '../command-arguments.js';
import { configOptions, kernelOptions, withoutLogger } from '../config-options.js';
import { fold } from '../output/fold.js';
import { ProcessWatch } from '../start/process-watch.js';

export const runPluginCommand = defineCommand({
  description: `Lists the commands of the plugins, or runs one. It starts the plugin and the plugins that it needs in this
process: no port opens, no migration runs, and no other plugin starts. Ctrl-C makes the command end its work and report what is
stored; a second Ctrl-C ends the process at once.

Write the options of keelson before the plugin. Everything after the plugin belongs to the command.`,
  words: {
    plugin: { optional: true, description: 'the key of a plugin in the configuration' },
    command: { optional: true, description: 'one of its commands' },
    argument: { optional: true, multiple: true, description: 'the words and options of the command' },
  },
  options: configOptions,
  passesOn: true,
  printsData: true,
  exitCodes: { 0: 'done', 1: 'not done, or only in part', 3: 'ended by a second signal' },
  examples: [
    'keelson run                                          what can be run',
    'keelson run orders import products.csv',
    'keelson run --environment production orders import products.csv --batch 10000',
  ],
  async run({ options, words: { plugin, command: name, argument }, terminal }) {
    const choice = kernelOptions(options, terminal);
    const plan = await Kernel.plan(choice);
    const commands = commandsOf(plan);
    if (plugin === undefined || name === undefined || argument.includes('--help')) {
      for (const problem of plan.problems) terminal.err(formatProblem(problem));
      const asked = commands.filter(
        each => (plugin ?? each.plugin) === each.plugin && (name ?? each.name) === each.name,
      );
      list(asked, options, terminal);
      return exitCodes.clean;
    }
    if (plan.problems.length > 0) throw new PlanError(plan);
    const chosen = commands.find(each => each.plugin === plugin && each.name === name);
    if (chosen === undefined) unknownCommand(`${plugin} ${name}`, commands);
    const given = await readArguments(`${plugin} ${name}`, chosen.command.arguments, argument);
    const watch = new ProcessWatch(terminal);
    try {
      await using kernel = await Kernel.start({
        ...choice,
        ...withoutLogger,
        signal: watch.signal,
        onSlowStart: terminal.err,
        only: ({ planned }) => planned.key === plugin,
      });
      watch.serve(kernel);
      const work = await chosen.command.load();
      await work.run(given, {
        container: kernel.container,
        signal: watch.signal,
        out: terminal.out,
        progress: line => terminal.progress?.(line),
      });
      return watch.crashed ? exitCodes.failed : exitCodes.clean;
    } finally {
      watch.end();
    }
  },
});

interface KnownCommand {
  /** The key of the plugin. */
  readonly plugin: string;
  readonly name: string;
  readonly command: PluginCommand;
}

function commandsOf({ plugins }: Plan): readonly KnownCommand[] {
  return plugins.flatMap(({ key, manifest: { commands = {} } }) =>
    Object.entries(commands).map(([name, command]) => ({ plugin: key, name, command })),
  );
}

function list(commands: readonly KnownCommand[], { json }: { readonly json: boolean }, terminal: Terminal): void {
  if (json) {
    printJson(
      terminal,
      commands.map(({ plugin, name, command: { description } }) => ({ plugin, name, description })),
    );
    return;
  }
  const lines = commands.flatMap(({ plugin, name, command }) => {
    const [usage = '', ...described] = describeArguments(`${plugin} ${name}`, command.arguments);
    return [usage, `    ${command.description}`, ...described].map(line => fold(line, 80));
  });
  terminal.out(lines.length === 0 ? 'No plugin has a command.' : lines.join('\n'));
}

function unknownCommand(call: string, commands: readonly KnownCommand[]): never {
  const known = commands.map(({ plugin, name }) => `${plugin} ${name}`);
  const meant = nearest(call, known);
  const hint = meant === undefined ? `Available: ${known.join(', ') || 'none'}.` : `Did you mean ${meant}?`;
  refuse(`No plugin has the command ${call}.`, hint, 'CLI_COMMAND_UNKNOWN', { command: call });
}
