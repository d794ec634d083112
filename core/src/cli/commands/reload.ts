import { formatReload } from '../../life/reload.js';
import { defineCommand, exitCodes } from '../command.js';
import { askEach, printAnswers } from '../instances/ask-each.js';
import { chosenInstances, instanceOptions } from '../instances/running-instances.js';

export const reload = defineCommand({
  description: `Reads the configuration files again, as SIGHUP does, and prints the result: applies reloadable values, and
lists the values that need a restart. An invalid configuration changes nothing, and all its problems are printed. Environment
variables keep the values of the running process. Every instance of this service on this machine reloads, or the instance with
--pid.`,
  options: instanceOptions,
  exitCodes: {
    0: 'all instances have reloaded',
    1: 'no instance runs, the configuration is invalid, or a plugin refused a value',
  },
  examples: ['keelson reload', 'keelson reload --environment production --json'],
  async run({ options, terminal }) {
    const answers = await askEach(await chosenInstances(options, terminal), instance => instance.reload());
    printAnswers(answers, options, terminal, (answer, pid) => {
      terminal.out(`pid ${pid}: ${formatReload(answer)}`);
      for (const { path, error } of answer.changes) if (error) terminal.err(`  ${path}: ${error.message}`);
    });
    const sound = answers.every(
      each => 'answer' in each && each.answer.changes.every(({ outcome }) => outcome !== 'failed'),
    );
    return sound ? exitCodes.clean : exitCodes.failed;
  },
});
