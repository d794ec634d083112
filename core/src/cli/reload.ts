import { formatReload } from '../life/reload.js';
import { type Command, exitCodes } from './command.js';
import { askEach, chosenInstances, formatTold, instanceOptions } from './running-instances.js';

export const reload: Command = {
  name: 'reload',
  summary: 'have the running service read its configuration again, and print what has changed',
  usage: '[--pid <pid>] [--config keelson.yaml] [--environment <name>] [--json]',
  help: `The same as SIGHUP, with the answer: values that may change while the service runs are applied, others are named as
needing a restart. A configuration that does not hold changes nothing, and everything wrong with it is told. Variables are those
of the running process; files are read again. Every instance of this service on this machine is told, or the one with --pid.

Exit codes: 0 read again by all, 1 none runs, the configuration does not hold, or a plugin refused a value, 2 wrong usage.

  keelson reload
  keelson reload --environment production --json`,
  options: instanceOptions,
  async run(options, _positionals, terminal) {
    const told = await askEach(await chosenInstances(options, terminal), instance => instance.reload());
    if (options.json === true) {
      terminal.out(
        JSON.stringify(
          told.map(({ pid, ...rest }) => ({ pid, ...('answer' in rest ? rest.answer : rest) })),
          undefined,
          2,
        ),
      );
    } else {
      for (const each of told) {
        if (!('answer' in each)) {
          terminal.err(formatTold(each));
          continue;
        }
        terminal.out(`pid ${each.pid}: ${formatReload(each.answer)}`);
        for (const { path, error } of each.answer.changes) if (error) terminal.err(`  ${path}: ${error.message}`);
      }
    }
    const sound = told.every(
      each => 'answer' in each && each.answer.changes.every(({ outcome }) => outcome !== 'failed'),
    );
    return sound ? exitCodes.clean : exitCodes.failed;
  },
};
